package s3server_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

func answers(s *s3server.Server) bool {
	r, err := http.Get(s.Endpoint() + "/")
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return true
}

func TestRestart(t *testing.T) {
	s := s3server.ForTest(t)
	addr := s.Addr()
	if err := s.CreateBucket("b"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{"stop": s.Stop, "kill": s.Kill} {
		if !answers(s) {
			t.Fatalf("before %s: no answer: %s", name, s.Log())
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("after %s it still listens", name)
		}
		if err := end(); err != nil {
			t.Errorf("second %s: %v", name, err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.Addr() != addr {
			t.Errorf("after %s it listens on %s, not %s", name, s.Addr(), addr)
		}
	}
	if _, err := os.Stat(s.BucketDir("b")); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.BucketDir("b")); !os.IsNotExist(err) {
		t.Errorf("directory stays after Close: %v", err)
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("S3SERVER_TEST_PARENT"); dir != "" {
		s, err := s3server.Start(context.Background(), s3server.Options{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.Addr())
		select {}
	}
	os.Exit(m.Run())
}

// TestDiesWithParent kills a process that runs a server.
func TestDiesWithParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child to its parent")
	}
	s3server.ForTest(t) // or skip
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "S3SERVER_TEST_PARENT="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("%s: %v", addr, err)
	}
	_ = c.Close()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the server at %s outlives its parent", addr)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
