package api

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
)

// Scope is what a token allows.
type Scope string

// The scopes. Operate includes Read, and Admin both. State is apart: it is for the
// values of a job's state, which no path shows yet.
const (
	Read    Scope = "read"    // look at a job
	Operate Scope = "operate" // trigger checkpoints, change the retention, stop, cancel
	Admin   Scope = "admin"   // profile the process
	State   Scope = "state"   // see the values of a job's state
)

var scopes = []Scope{Read, Operate, Admin, State}

// includes reports whether who has s may do what needs t.
func (s Scope) includes(t Scope) bool {
	switch s {
	case Admin:
		return t != State
	case Operate:
		return t == Read || t == Operate
	}
	return s == t
}

// token is a line of a token file.
type token struct {
	name   string
	scopes []Scope
	sum    [sha256.Size]byte
}

// minToken is the least length of a token, in bytes.
const minToken = 16

// readTokens reads a file of lines "<name> <scope>[,<scope>…] <token>". Lines that are
// empty or begin with # do not count.
func readTokens(path string) (tokens []token, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		t, err := parseToken(line)
		if err != nil {
			return nil, fmt.Errorf("tokens: %s, line %d: %w", path, n, err)
		}
		tokens = append(tokens, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("tokens: %s: %w", path, err)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("tokens: %s has none", path)
	}
	return tokens, nil
}

// parseToken never puts the token itself into an error.
func parseToken(line string) (token, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return token{}, errors.New("write <name> <scope>[,<scope>…] <token>")
	}
	t := token{name: fields[0], sum: sha256.Sum256([]byte(fields[2]))}
	for s := range strings.SplitSeq(fields[1], ",") {
		if !slices.Contains(scopes, Scope(s)) {
			return token{}, fmt.Errorf("no such scope: %q: use %v", s, scopes)
		}
		t.scopes = append(t.scopes, Scope(s))
	}
	if len(fields[2]) < minToken {
		return token{}, fmt.Errorf("the token of %q is shorter than %d bytes", t.name, minToken)
	}
	return t, nil
}

// caller is who sent a request.
type caller struct {
	name   string
	scopes []Scope
	token  bool // it proved who it is
}

func (c caller) may(s Scope) bool {
	return slices.ContainsFunc(c.scopes, func(has Scope) bool { return has.includes(s) })
}

// access decides who may do what.
type access struct {
	tokens    func() []token // nil: none are needed
	anonymous []Scope        // of whoever has no token
	hosts     []string       // names by which the server is known
}

// caller finds out who sent a request. The time does not depend on how much of a token
// is right.
func (a access) caller(r *http.Request) caller {
	c := caller{name: "anonymous", scopes: a.anonymous}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if a.tokens == nil || !strings.EqualFold(scheme, "Bearer") {
		return c
	}
	sum := sha256.Sum256([]byte(given))
	for _, t := range a.tokens() {
		if subtle.ConstantTimeCompare(t.sum[:], sum[:]) == 1 {
			c = caller{t.name, t.scopes, true}
		}
	}
	return c
}

// check returns the status and reason of a refusal; 0: the caller may go on.
func (a access) check(c caller, r *http.Request, needs Scope) (status int, why string) {
	switch {
	case !c.token && !a.known(r.Host):
		// A page can make its own name point to this address, but it has no token.
		return http.StatusMisdirectedRequest, fmt.Sprintf("unknown host %q: use an IP address, localhost, or a token", r.Host)
	case !c.token && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		return http.StatusForbidden, "a page of another site sent this"
	case c.may(needs):
		return 0, ""
	case !c.token && a.tokens != nil:
		return http.StatusUnauthorized, "a bearer token is missing or unknown"
	}
	return http.StatusForbidden, fmt.Sprintf("this needs the scope %s", needs)
}

// known reports whether a Host header names this server. The name of a site is not known,
// also if it resolves to an address of this machine.
func (a access) known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	return host == "localhost" || net.ParseIP(host) != nil || slices.Contains(a.hosts, host)
}
