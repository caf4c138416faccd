package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// deadStore answers no read.
type deadStore struct{ upload.Store }

func (deadStore) Get(ctx context.Context, _ string) (io.ReadCloser, upload.Info, error) {
	<-ctx.Done()
	return nil, upload.Info{}, ctx.Err()
}

// handled returns the handler of a server that listens, but is reached without a socket.
func handled(t *testing.T, log io.Writer, j Job) http.Handler {
	t.Helper()
	s, err := Listen(t.Context(), Options{Address: "127.0.0.1:0"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	j.ID, j.Metrics = "pairs", &engine.Metrics{}
	s.job = j
	return s.handler()
}

func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	r.Host = "localhost"
	h.ServeHTTP(w, r)
	return w
}

// While the store does not answer, few requests wait for it, and not for long; those that
// do not need it are answered.
func TestADeadStoreTakesFewSlots(t *testing.T) { // I12
	synctest.Test(t, func(t *testing.T) {
		h := handled(t, io.Discard, Job{Store: deadStore{memstore.New()}})
		var waiting sync.WaitGroup
		var late atomic.Int64
		for range maxOfStore {
			waiting.Go(func() {
				if ask(h, "GET", "/jobs/pairs/head", "").Code == http.StatusGatewayTimeout {
					late.Add(1)
				}
			})
		}
		synctest.Wait()
		if w := ask(h, "GET", "/jobs/pairs/head", ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d: %s", w.Code, w.Body)
		}
		if w := ask(h, "GET", "/jobs", ""); w.Code != http.StatusOK {
			t.Errorf("jobs: %d: %s", w.Code, w.Body)
		}
		begun := time.Now()
		waiting.Wait()
		if took := time.Since(begun); late.Load() != maxOfStore || took != storeTimeout {
			t.Errorf("%d were told so, after %v", late.Load(), took)
		}
	})
}

// Whatever is wrong with a request, the answer says so in JSON.
func TestRefusalsAreJSON(t *testing.T) {
	h := handled(t, io.Discard, Job{Store: memstore.New()})
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/nothing", "", 404}, {"DELETE", "/jobs", "", 405}, {"GET", "/v1/nothing", "", 404}, {"GET", "/v1/jobs", "", 200},
		{"GET", "/objects/explain?name=../x", "", 400},
		{"PUT", "/jobs/pairs/retention", `{"policy":"newest=2","dryRun":true}`, 400}, {"PUT", "/jobs/pairs/retention", `{"policy":"newest=2"}{}`, 400},
		{"PUT", "/jobs/pairs/retention", "", 400},
	} {
		w := ask(h, c.method, c.path, c.body)
		var why Errors
		if err := json.Unmarshal(w.Body.Bytes(), &why); w.Code != c.want || err != nil || (len(why.Errors) == 0) != (c.want == 200) {
			t.Errorf("%s %s %s: %d: %s", c.method, c.path, c.body, w.Code, w.Body)
		}
		if allow := w.Header().Get("Allow"); (allow != "") != (c.want == 405) {
			t.Errorf("%s %s: allowed is %q", c.method, c.path, allow)
		}
	}
}

// A path that says nothing of whom it is for is for nobody but an admin.
func TestAPathWithoutScopeIsClosed(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/", nil)
	for scope, want := range map[Scope]int{Read: 403, Operate: 403, State: 403, Admin: 0} {
		if status, _ := (access{}).check(caller{scopes: []Scope{scope}}, r, ""); status != want {
			t.Errorf("%s: %d, want %d", scope, status, want)
		}
	}
}

// A panic ends one request, and the log has it.
func TestAPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := handled(t, &log, Job{Prometheus: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("planted") })})
	w := ask(h, "GET", "/metrics", "")
	if w.Code != http.StatusInternalServerError || !strings.HasPrefix(w.Body.String(), `{"errors":[`) || strings.Contains(w.Body.String(), "planted") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "planted") {
		t.Errorf("the log: %s", log.String())
	}
}

// One connection more than the server takes waits until another is closed.
func TestConnectionsAreBounded(t *testing.T) { // I12
	l, err := Options{Address: "127.0.0.1:0"}.listen(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var clients []net.Conn
	for range MaxConnections + 1 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	var taken []net.Conn
	for range MaxConnections {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		taken = append(taken, c)
	}
	var closed atomic.Bool
	accepted := make(chan bool)
	go func() {
		c, err := l.Accept()
		after := closed.Load()
		if err == nil {
			_ = c.Close()
		}
		accepted <- after
	}()
	time.Sleep(20 * time.Millisecond) // it would be accepted by now
	closed.Store(true)
	_ = taken[0].Close()
	if after := <-accepted; !after {
		t.Errorf("%d connections are open at once", len(clients))
	}
}

// A server on all addresses is reached by the host's name, and any other where it listens.
func TestWhereAServerIsReached(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		s, err := Listen(t.Context(), Options{Address: host + ":0", Insecure: true}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		want := host
		if host == "0.0.0.0" {
			want = name
		}
		if got, _, _ := net.SplitHostPort(s.Reached()); got != want {
			t.Errorf("%s: %s", s.Address(), s.Reached())
		}
		s.Close(t.Context())
	}
}
