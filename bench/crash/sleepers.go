package crash

import (
	"math/rand/v2"
	"syscall"
	"time"
)

// sleepers are processes that were stopped, and go on beside their successors.
type sleepers struct {
	all    []*process
	asleep []*process
	timers []*time.Timer
}

// stop stops a process.
func (s *sleepers) stop(p *process) {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP) // where it has just ended, its outcome says how
	s.all, s.asleep = append(s.all, p), append(s.asleep, p)
}

// wakeLater lets the paused processes go on, at random moments of the next few
// intervals.
func (s *sleepers) wakeLater(r *rand.Rand, interval time.Duration) {
	for _, p := range s.asleep {
		s.timers = append(s.timers, time.AfterFunc(time.Duration(r.Int64N(int64(4*interval))), func() { resume(p) }))
	}
	s.asleep = nil
}

// wake lets all go on now.
func (s *sleepers) wake() {
	for _, t := range s.timers {
		t.Stop()
	}
	for _, p := range s.all {
		resume(p)
	}
}

func resume(p *process) {
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
}

// kill ends all that still live.
func (s *sleepers) kill() {
	for _, t := range s.timers {
		t.Stop()
	}
	for _, p := range s.all {
		p.kill()
	}
}
