package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// ErrBroken: something was lost, doubled or left behind. The report says what.
var ErrBroken = errors.New("broken by a crash")

// bucket of the server that Run starts.
const bucket = "crash"

// Run kills the jobs, compares their output, and reports. If something is broken, the
// error wraps ErrBroken. With any error the report says what was done and found.
func Run(ctx context.Context, o Options) (report Report, err error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	o = o.withDefaults()
	began := time.Now()
	report = Report{Seed: o.Seed, Jobs: []JobReport{}}
	defer func() { report.WallS = seconds(began) }()
	if o.Dir == "" {
		o.Dir, err = os.MkdirTemp("", "tidemark-crash-")
	} else {
		err = os.Mkdir(o.Dir, 0o777)
	}
	if err != nil {
		return report, fmt.Errorf("work directory: %w", err)
	}
	defer func() {
		if err != nil {
			report.Kept = o.Dir
			return
		}
		err = os.RemoveAll(o.Dir)
	}()
	h := &harness{o: o}
	closeStore, err := h.openStore(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	broken := 0
	for i, name := range o.Jobs {
		// The first jobs get what does not divide evenly.
		kills := (o.Kills + len(o.Jobs) - 1 - i) / len(o.Jobs)
		j, err := h.kill(ctx, name, kills)
		report.Kills += j.Kills
		report.Jobs = append(report.Jobs, j)
		if err != nil {
			return report, fmt.Errorf("job %s: %w", name, err)
		}
		if len(j.Broken) > 0 {
			broken++
		}
	}
	if broken > 0 {
		return report, fmt.Errorf("%w: %d of %d jobs, seed %d", ErrBroken, broken, len(o.Jobs), o.Seed)
	}
	return report, nil
}

// harness holds what all jobs share.
type harness struct {
	o     Options
	url   string
	store upload.Store
	env   []string // of the children
}

func (h *harness) openStore(ctx context.Context) (closeStore func() error, err error) {
	closeStore = func() error { return nil }
	h.env, h.url = h.o.Env, h.o.Store
	open := storeurl.Options{Create: true}
	if h.url == "" {
		server, err := s3server.Start(ctx, s3server.Options{Dir: filepath.Join(h.o.Dir, "s3")})
		if err != nil {
			return nil, fmt.Errorf("start an S3 server: %w", err)
		}
		closeStore = server.Close
		if err := server.CreateBucket(bucket); err != nil {
			return nil, errors.Join(err, server.Close())
		}
		h.url = "s3://" + bucket
		h.env = append(server.Env(), h.env...)
		open.S3 = s3store.Options{
			Endpoint: server.Endpoint(), Region: s3server.Region, AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey,
		}
	}
	if h.store, err = storeurl.Open(ctx, h.url, open); err != nil {
		return nil, errors.Join(err, closeStore())
	}
	return closeStore, nil
}

// instance is one job id: a job that is run from its beginning to its end.
type instance struct {
	id, output string
	args       []string
	store      upload.Store // what belongs to the id
	log        *os.File
	head       coordinator.Head // as last seen
	starts     int
	container  *container // of its processes; nil: none
}

func (h *harness) instance(j job, id string) (*instance, error) {
	log, err := os.Create(filepath.Join(h.o.Dir, id+".log"))
	if err != nil {
		return nil, err
	}
	in := &instance{id: id, output: filepath.Join(h.o.Dir, id, "out"), store: upload.Prefixed(h.store, id), log: log}
	in.args = append([]string{"run"}, j.args...)
	in.args = append(in.args, "--output", in.output, "--job-id", id, "--checkpoint-store", h.url, "--interval", h.o.Interval.String(), "--json")
	if h.o.TableBytes > 0 {
		in.args = append(in.args, "--table-memory", strconv.FormatInt(h.o.TableBytes, 10))
	}
	return in, nil
}

// start starts a process of the instance.
func (h *harness) start(ctx context.Context, in *instance, parallelism int) (*process, error) {
	state := "state"
	if in.starts++; h.o.Pause {
		state += strconv.Itoa(in.starts) // the one before may still live
	}
	fmt.Fprintf(in.log, "--- start %d, parallelism %d\n", in.starts, parallelism)
	args := append(in.args[:len(in.args):len(in.args)], "--parallelism", strconv.Itoa(parallelism), "--state-dir", filepath.Join(h.o.Dir, in.id, state))
	p, err := start(ctx, h.o.Program, args, h.env, in.log)
	if err != nil {
		return nil, err
	}
	// Where it has ended by itself, its end says more.
	if err := in.container.add(p.cmd.Process.Pid); err != nil && p.kill() {
		return nil, err
	}
	return p, nil
}

// logf logs what happened.
func (h *harness) logf(format string, args ...any) {
	fmt.Fprintf(h.o.Log, format+"\n", args...)
}

// kill runs the reference, and then the job until enough of its processes were
// killed. The error says why that was impossible; what is broken is in the report.
func (h *harness) kill(ctx context.Context, name string, kills int) (r JobReport, err error) {
	began := time.Now()
	r = JobReport{Job: name, Phases: map[string]int{}, Targets: map[string]int{}, Broken: []string{}}
	defer func() { r.WallS = seconds(began) }()
	j, err := newJob(name, h.o)
	if err != nil {
		return r, err
	}
	want, err := h.reference(ctx, j)
	if err != nil {
		return r, fmt.Errorf("reference run: %w", err)
	}
	r.Rows = len(want)
	h.logf("%s: reference has %d rows, %.1f s", name, len(want), seconds(began))
	// A job whose rows are computed, too, is compared with these: its reference can be wrong.
	if found := j.compare(want, want); len(found) > 0 {
		r.Broken = append(r.Broken, found...)
		return r, nil
	}
	limited := h.container(j, &r)
	defer func() { err = errors.Join(err, limited.close()) }()
	random := rand.New(rand.NewPCG(h.o.Seed, uint64(slices.Index(Jobs(), name))))
	for r.Kills < kills && len(r.Broken) == 0 {
		in, err := h.instance(j, fmt.Sprintf("%s-%d", name, r.Runs+1))
		if err != nil {
			return r, err
		}
		in.container = limited
		var gc *collector
		if h.o.Collect {
			gc = h.collect(ctx, in, random.Uint64())
		}
		err = h.round(ctx, j, in, kills, random, &r)
		if gc != nil {
			gc.stop(&r)
		}
		if err == nil && len(r.Broken) == 0 {
			r.Runs++
			var found []string
			found, err = h.judge(ctx, j, in, want)
			r.Broken = append(r.Broken, found...)
		}
		if err = errors.Join(err, in.log.Close()); err != nil {
			return r, fmt.Errorf("%s: %w", in.id, err)
		}
		for i, b := range r.Broken {
			r.Broken[i] = in.id + ": " + b
		}
	}
	if n, err := limited.killed(); err != nil || n > 0 {
		r.Broken = append(r.Broken, fmt.Sprintf("%d processes were killed because they took more than %d MiB: %v", n, j.container>>20, err))
	}
	return r, nil
}

// container makes the container of a job's processes, and tells whether there is one.
func (h *harness) container(j job, r *JobReport) *container {
	if j.container == 0 {
		return nil
	}
	c, err := newContainer(j.container)
	r.Container = fmt.Sprintf("%d MiB", j.container>>20)
	if err != nil {
		r.Container = fmt.Sprintf("none: %v", err)
	}
	h.logf("%s: container: %s", j.name, r.Container)
	return c
}

// reference returns the rows of a run that nobody disturbs.
func (h *harness) reference(ctx context.Context, j job) (rows, error) {
	in, err := h.instance(j, j.name+"-reference")
	if err != nil {
		return nil, err
	}
	defer in.log.Close()
	p, err := h.start(ctx, in, h.o.Parallelism)
	if err != nil {
		return nil, err
	}
	if err := h.await(ctx, p); err != nil {
		return nil, err
	}
	o, err := p.outcome()
	if err != nil {
		return nil, err
	}
	out, err := readOutput(in.output, true)
	switch {
	case err != nil:
		return nil, err
	case len(out.rows) == 0:
		return nil, errors.New("it has no output to compare with")
	case j.continuous && int64(len(out.rows)) != o.Events:
		return nil, fmt.Errorf("it has %d rows for %d records", len(out.rows), o.Events)
	}
	return out.rows, nil
}

// await waits for the end of a process that is not to be killed.
func (h *harness) await(ctx context.Context, p *process) error {
	t := time.NewTimer(h.o.Patience)
	defer t.Stop()
	select {
	case <-p.done:
		return context.Cause(ctx)
	case <-t.C:
		p.dump()
		return fmt.Errorf("a process hung for %v; the stacks of its goroutines are in the log", h.o.Patience)
	}
}

// round starts the job until a process reaches its end, and kills the processes
// before, at most kills in all.
func (h *harness) round(ctx context.Context, j job, in *instance, kills int, random *rand.Rand, r *JobReport) error {
	var paused sleepers
	defer paused.kill()
	for first := true; ; first = false {
		before, parallelism := in.head, h.o.Parallelism
		if (h.o.Rescale || j.rescale) && !first {
			parallelism = 1 + random.IntN(2*h.o.Parallelism)
		}
		if len(before.Retained) > 0 {
			r.Resumed++
		}
		p, err := h.start(ctx, in, parallelism)
		if err != nil {
			return err
		}
		r.Starts++
		paused.wakeLater(random, h.o.Interval)
		killed, pause := false, false
		a := aim{}
		if r.Kills < kills {
			a = nextAim(random, h.o.Interval)
			limit, cancel := context.WithTimeout(ctx, h.o.Patience)
			if a.await(limit, p, in.store, in.output) {
				if pause = h.o.Pause && random.IntN(2) == 0; pause {
					paused.stop(p)
				} else {
					killed = p.kill()
				}
			}
			cancel()
		}
		if pause {
			r.Paused++
			h.logf("%s: pause %d (%v)", in.id, r.Paused, a)
			continue
		}
		if !killed {
			if err := h.await(ctx, p); err != nil {
				return err
			}
			_, err := p.outcome()
			if fenced(err) && len(paused.all) > 0 {
				// One that was paused before it led has taken the lead since.
				h.logf("%s: process %d was fenced by one that was paused", in.id, r.Starts)
				continue
			}
			if err != nil {
				r.Broken = append(r.Broken, fmt.Sprintf("process %d failed by itself: %v", r.Starts, err))
				return nil
			}
			return h.bury(ctx, in, &paused, r)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		r.Kills++
		s := sight{before: before}
		if j.continuous {
			s.parts = parallelism
		}
		phase, err := h.inspect(ctx, in, s, r)
		if err != nil {
			return err
		}
		r.Targets[a.target.String()]++
		r.Phases[phase]++
		h.logf("%s: kill %d (%v): it was in %s, epoch %d, newest checkpoint %d", in.id, r.Kills, a, phase, in.head.Epoch, newest(in.head).ID)
		if len(r.Broken) > 0 {
			return nil
		}
	}
}

// fenced reports whether a process's error says that another one leads.
func fenced(err error) bool {
	return err != nil && strings.Contains(err.Error(), checkpoint.ErrFenced.Error())
}

// bury waits until the paused processes know that they are fenced, and starts the
// job once more to sweep what they uploaded.
func (h *harness) bury(ctx context.Context, in *instance, paused *sleepers, r *JobReport) error {
	if len(paused.all) == 0 {
		return nil
	}
	paused.wake()
	for _, p := range paused.all {
		if err := h.await(ctx, p); err != nil {
			return err
		}
		if _, err := p.outcome(); err != nil && !fenced(err) {
			r.Broken = append(r.Broken, fmt.Sprintf("a paused process ended otherwise than fenced: %v", err))
		}
	}
	p, err := h.start(ctx, in, h.o.Parallelism)
	if err != nil {
		return err
	}
	r.Starts++
	if err := h.await(ctx, p); err != nil {
		return err
	}
	if _, err := p.outcome(); err != nil {
		r.Broken = append(r.Broken, fmt.Sprintf("the last start failed: %v", err))
	}
	return nil
}

// inspect checks what a killed process left: the retained checkpoints are whole,
// and head has not gone back.
func (h *harness) inspect(ctx context.Context, in *instance, s sight, r *JobReport) (phase string, err error) {
	if in.head, err = readHead(ctx, in.store); err != nil {
		return "", err
	}
	s.head = in.head
	if s.objects, err = list(ctx, in.store); err != nil {
		return "", err
	}
	if s.published, err = readOutput(in.output, false); err != nil {
		return "", err
	}
	r.Broken = append(r.Broken, backwards(s.before, in.head)...)
	found, err := damage(ctx, in.store, in.head)
	r.Broken = append(r.Broken, found...)
	return s.phase(), err
}

// judge compares what a finished instance left with what it should have left.
func (h *harness) judge(ctx context.Context, j job, in *instance, want rows) (broken []string, err error) {
	out, err := readOutput(in.output, true)
	if err != nil {
		return nil, err
	}
	broken = j.compare(out.rows, want)
	for _, name := range out.pending {
		broken = append(broken, "output: left unpublished: "+name)
	}
	head, err := readHead(ctx, in.store)
	if err != nil {
		return broken, err
	}
	broken = append(broken, backwards(in.head, head)...)
	damaged, err := damage(ctx, in.store, head)
	if err != nil {
		return broken, err
	}
	left, err := surplus(ctx, in.store)
	return append(append(broken, damaged...), left...), err
}
