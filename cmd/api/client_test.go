package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/cmd/api"
)

// A token goes over plain HTTP to this machine only, unless that is allowed.
func TestATokenIsNotSentInPlainText(t *testing.T) {
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer there.Close()
	client := func(server string, insecure bool) error {
		c := api.Client{Server: server, Token: "read-token-of-the-test", Insecure: insecure, HTTP: there.Client()}
		_, err := c.Jobs(t.Context())
		return err
	}
	for server, insecure := range map[string]bool{there.URL: false, strings.Replace(there.URL, "127.0.0.1", "0.0.0.0", 1): true} {
		if err := client(server, insecure); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
	if err := client(strings.Replace(there.URL, "127.0.0.1", "0.0.0.0", 1), false); err == nil || !strings.Contains(err.Error(), "https, or --insecure") || strings.Contains(err.Error(), "read-token") {
		t.Errorf("another machine: %v", err)
	}
}
