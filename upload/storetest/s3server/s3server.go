// Package s3server answers: where do tests get a real S3 server?
//
// It runs versitygw, an S3 gateway over a directory, or a server of another Kind, as a
// child process. Crash
// tests can stop, kill and pause the server, and start it again on its port and
// directory. The package does not import testing, so harnesses outside of tests
// can use it, too.
//
// # Invariants
//
//   - The child dies with this process, however this process ends (Linux).
//   - A server listens on the loopback interface only.
//   - Objects survive Stop, Kill and Restart.
package s3server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// BinaryEnv names the server's binary. RequireEnv set to 1 makes tests fail
// without a binary; otherwise they are skipped.
const (
	BinaryEnv  = "TIDEMARK_VERSITYGW"
	RequireEnv = "TIDEMARK_REQUIRE_S3"
)

// ErrNoBinary: there is no server to start. The error says how to get one.
var ErrNoBinary = errors.New("versitygw is not installed: run make tools, or name a binary in " + BinaryEnv)

// Credentials and region of the servers, where their Kind does not say otherwise.
const (
	AccessKey = "tidemark-test"
	SecretKey = "tidemark-test-secret"
	Region    = "us-east-1"
)

// Options of a Server.
type Options struct {
	// Dir holds the buckets as directories, and outlives the server. Zero: a
	// temporary directory, which Close removes.
	Dir string
	// Kind of the server. Zero: Versitygw.
	Kind Kind
	// Binary to run of Versitygw. Zero: the one that Find finds.
	Binary string
	// StartTimeout bounds each start. Zero: a minute.
	StartTimeout time.Duration
}

// Server is a running server. Its methods may be called from any goroutine, one
// at a time.
type Server struct {
	o       Options
	port    int
	ports   []int // more, that only the server knows
	ownsDir bool
	child   *child // nil: stopped
}

// Find returns the path of the server's binary: from BinaryEnv, PATH, or where
// make tools puts it.
func Find() (string, error) {
	if path := os.Getenv(BinaryEnv); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("%s: %w", BinaryEnv, err)
		}
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return filepath.Abs(path)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", ErrNoBinary
	}
	path := filepath.Join(cache, "tidemark", "bin", "versitygw")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoBinary
	}
	return path, nil
}

// Start starts a server and waits until it answers. The caller closes it. ctx
// applies to the start alone.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	if o.StartTimeout == 0 {
		o.StartTimeout = time.Minute
	}
	if o.Kind.Name == "" {
		o.Kind = Versitygw
	}
	if tools, ok := o.Kind.Installed(); o.Kind.Name == Versitygw.Name && o.Binary == "" {
		if o.Binary, err = Find(); err != nil {
			return nil, err
		}
	} else if o.Binary == "" {
		if !ok {
			return nil, fmt.Errorf("%s is not installed in %q: run make servers", o.Kind.Name, tools)
		}
		o.Binary = tools
	}
	s := &Server{}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "tidemark-s3-"); err != nil {
			return nil, err
		}
		s.ownsDir = true
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	s.o = o
	for _, dir := range []string{s.root(), filepath.Join(o.Dir, o.Kind.versions)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	for try := 0; ; try++ {
		s.ports = make([]int, morePorts)
		for i := range s.ports {
			if s.ports[i], err = freePort(ctx); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
		if s.port, err = freePort(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		// Another process may take the port first.
		if err = s.Restart(ctx); err == nil {
			return s, nil
		}
		if try == 2 || ctx.Err() != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
}

// morePorts is how many ports a kind may need besides its own.
const morePorts = 7

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *Server) root() string { return filepath.Join(s.o.Dir, s.o.Kind.buckets) }

// Addr returns the server's host and port, the same after a Restart.
func (s *Server) Addr() string { return addrOf(s.port) }

// Endpoint returns the server's URL.
func (s *Server) Endpoint() string { return "http://" + s.Addr() }

// Env returns the environment that lets an AWS client use the server.
func (s *Server) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.o.Kind.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.o.Kind.SecretKey,
		"AWS_REGION=" + Region, "AWS_ENDPOINT_URL_S3=" + s.Endpoint(), "AWS_EC2_METADATA_DISABLED=true",
	}
}

// CreateBucket makes an empty bucket; one that exists is no error. Versitygw need not
// run for it.
func (s *Server) CreateBucket(name string) error {
	if s.o.Kind.buckets != "" {
		return os.MkdirAll(s.BucketDir(name), 0o777)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.StartTimeout)
	defer cancel()
	return putBucket(ctx, s.Endpoint(), name)
}

// BucketDir returns the directory in which the objects of a bucket are files.
func (s *Server) BucketDir(name string) string { return filepath.Join(s.root(), name) }

// Restart starts the server again, on the same port and directory, and waits until
// it answers. A running server is killed first.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	argv, env := s.o.Kind.command(s.o.Binary, s.o.Dir, s.port, s.ports)
	c, err := startChild(argv, env)
	if err != nil {
		return err
	}
	s.child = c
	if err := c.await(ctx, s.Addr()); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", s.o.Kind.Name, err), s.Kill())
	}
	return nil
}

// Stop ends the server by SIGTERM, and kills it after ten seconds.
func (s *Server) Stop() error {
	if s.child == nil {
		return nil
	}
	c := s.child
	s.child = nil
	return c.end(syscall.SIGTERM, 10*time.Second)
}

// Kill ends the server at once (SIGKILL).
func (s *Server) Kill() error {
	if s.child == nil {
		return nil
	}
	c := s.child
	s.child = nil
	return c.end(syscall.SIGKILL, time.Minute)
}

// Pause stops the server's execution (SIGSTOP): it accepts connections and
// answers nothing until Resume.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	if s.child == nil {
		return errors.New("the server does not run")
	}
	return s.child.cmd.Process.Signal(sig)
}

// Log returns the end of what the running server printed.
func (s *Server) Log() string {
	if s.child == nil {
		return ""
	}
	return s.child.log.String()
}

// Close kills the server, and removes its directory if Start made it.
func (s *Server) Close() error {
	err := s.Kill()
	if s.ownsDir {
		err = errors.Join(err, os.RemoveAll(s.o.Dir))
	}
	return err
}

// child is one process of the server.
type child struct {
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed once the process ended
}

func startChild(argv, env []string) (*child, error) {
	c := &child{log: &tail{}, done: make(chan struct{})}
	c.cmd = exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		// The kernel ties the child to the thread that started it, so the
		// thread lives as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // who ends the child knows why
		}
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return c, nil
}

// await returns once the child accepts connections.
func (c *child) await(ctx context.Context, addr string) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			// It might be somebody else's port; then the child ends soon.
			err = conn.Close()
			select {
			case <-c.done:
				return fmt.Errorf("it ended: %s", c.log)
			default:
				return err
			}
		}
		select {
		case <-c.done:
			return fmt.Errorf("it ended: %s", c.log)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w: %s", ctx.Err(), c.log)
		case <-ticker.C:
		}
	}
}

// end signals the child, and kills it if it does not end in time.
func (c *child) end(sig syscall.Signal, patience time.Duration) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	if err := c.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.done:
		return nil
	case <-t.C:
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.done
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - tailBytes; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(bytes.ToValidUTF8(t.buf, []byte("?"))))
}
