package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/cmd/launch"
)

// flinkCapped is an arm that limits Flink's time. It measures the time from the
// first events until Flink ended or was interrupted, and asks Flink's REST interface
// for its progress; the program opens that when it is given a port.
func flinkCapped(program string, args []string, most time.Duration, first int64) experiment.Arm {
	arm := flinkRun(program, flinkArm, args)
	arm.Command += fmt.Sprintf(" (interrupted after %v)", most)
	arm.Run = func(ctx context.Context) (experiment.Sample, error) {
		port, err := freePort(ctx)
		if err != nil {
			return experiment.Sample{}, err
		}
		scratch, clean, err := flinkScratch()
		if err != nil {
			return experiment.Sample{}, err
		}
		defer clean()
		limited, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		line := append([]string{program}, args...)
		line = append(line, scratch...)
		line = append(line, fmt.Sprintf("flink.rest.port=%d", port), fmt.Sprintf("flink.rest.bind-port=%d", port), "flink.metrics.fetcher.update-interval=1000")
		cmd := experiment.Command(limited, line)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			return experiment.Sample{}, err
		}
		asked, stop := context.WithCancel(limited)
		points := make(chan []launch.Point, 1)
		go func() { points <- followFlink(asked, port, cmd.Process.Pid) }()
		err = cmd.Wait()
		stop()
		course := <-points
		if err != nil && (limited.Err() == nil || ctx.Err() != nil) {
			return experiment.Sample{}, fmt.Errorf("%s: %w: %s", arm.Command, err, experiment.LastLines(errs.Bytes()))
		}
		s := experiment.Sample{Values: map[string]float64{}, Series: course}
		if err == nil {
			if s, err = parseFlink(out.Bytes(), true); err != nil {
				return s, err
			}
			s.Series = course
			return experiment.AfterIfLong(s, course, first), nil
		}
		if len(course) == 0 {
			return s, fmt.Errorf("%s: it told nothing of how far it came: %s", arm.Command, experiment.LastLines(errs.Bytes()))
		}
		came := course[len(course)-1].Events
		s.Note = fmt.Sprintf("it had done %d events when its %v were over", came, most)
		if came < first+first/10 {
			first = came / 2
			s.Note += fmt.Sprintf(", too few: its figures are from the %d. on", first)
		}
		return experiment.After(s, course, first)
	}
	return arm
}

func freePort(ctx context.Context) (int, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// askEvery is the time between two questions; Flink's answers are up to a
// second old.
const askEvery = time.Second

// followFlink asks Flink how many records its stateful operators have read, until
// ctx ends. It leaves out points without news.
func followFlink(ctx context.Context, port, pid int) (points []launch.Point) {
	begin := time.Now()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	base := fmt.Sprintf("http://127.0.0.1:%d/jobs", port)
	for {
		select {
		case <-ctx.Done():
			return points
		case <-tick.C:
		}
		n, err := flinkRecords(ctx, base)
		cpuS, cpuErr := processSeconds(pid)
		if errors.Join(err, cpuErr) != nil { // it is starting, or ending
			continue
		}
		if len(points) == 0 && n > 0 || len(points) > 0 && n > points[len(points)-1].Events {
			points = append(points, launch.Point{WallS: time.Since(begin).Seconds(), CPUS: cpuS, Events: n})
		}
	}
}

func flinkRecords(ctx context.Context, base string) (n int64, err error) {
	var jobs struct{ Jobs []struct{ ID string } }
	if err := getJSON(ctx, base, &jobs); err != nil || len(jobs.Jobs) == 0 {
		return 0, errors.Join(experiment.ErrNothing, err)
	}
	var job struct {
		Vertices []struct {
			Metrics struct {
				Read int64 `json:"read-records"`
			}
		}
	}
	err = getJSON(ctx, base+"/"+jobs.Jobs[0].ID, &job)
	for _, v := range job.Vertices {
		n = max(n, v.Metrics.Read)
	}
	return n, err
}

func getJSON(ctx context.Context, url string, to any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(to)
}

// clockTicks are those of a second in /proc, on every Linux.
const clockTicks = 100

// processSeconds is the processor time of a process that runs.
func processSeconds(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(b), ") ") // after the name, which may hold anything
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return float64(user+system) / clockTicks, errors.Join(err, err2)
}
