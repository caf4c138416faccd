package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/net/netutil"
)

// ErrListen: the address cannot be listened on.
var ErrListen = errors.New("cannot listen")

// DefaultAddress is where a job's API is served if nothing else is said.
const DefaultAddress = "127.0.0.1:7480"

// Options say where and to whom a job is served. The zero value: to nobody.
type Options struct {
	// Address is "host:port". Empty: nothing is served.
	Address string
	// Near allows one of the ports behind Address if that one is taken, and to serve
	// nothing if all are.
	Near bool
	// Tokens is a file of lines "<name> <scope>[,<scope>…] <token>". Empty: whoever
	// reaches the address may read and operate.
	Tokens string
	// Cert and Key are files for TLS. Empty: plain HTTP.
	Cert, Key string
	// OpenAdmin gives those without a token the scope admin on a loopback address.
	OpenAdmin bool
	// Insecure allows an address that other machines reach without TLS or Tokens.
	Insecure bool
}

// Validate reports everything that is wrong with the options. It does not look at files.
func (o Options) Validate() error {
	if o.Address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil {
		return fmt.Errorf("api: address %q: write it as host:port", o.Address)
	}
	var errs []error
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		errs = append(errs, fmt.Errorf("api: address %q: no such port", o.Address))
	}
	if (o.Cert == "") != (o.Key == "") {
		errs = append(errs, errors.New("api: TLS needs a certificate and its key"))
	}
	if !loopback(host) && (o.Cert == "" || o.Tokens == "") && !o.Insecure {
		errs = append(errs, fmt.Errorf("api: other machines reach %s: give it TLS and tokens (--http-cert, --http-key, --http-tokens), or --insecure", o.Address))
	}
	return errors.Join(errs...)
}

// loopback reports whether only this machine reaches a host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// MaxConnections is how many connections a server has open at once. More wait in the
// system's queue, so that they take no files from the job.
const MaxConnections = 64

// nearPorts is how many ports behind a taken one are tried.
const nearPorts = 100

// listen opens the socket.
func (o Options) listen(ctx context.Context, log *slog.Logger) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", o.Address)
	host, text, _ := net.SplitHostPort(o.Address)
	port, _ := strconv.Atoi(text)
	for near := 1; o.Near && near <= nearPorts && errors.Is(err, syscall.EADDRINUSE); near++ {
		l, err = c.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port+near)))
	}
	if err != nil {
		return nil, fmt.Errorf("api: %w: %w", ErrListen, err)
	}
	l = netutil.LimitListener(l, MaxConnections)
	if o.Cert == "" {
		return l, nil
	}
	pair, err := newFresh(log, func() (tls.Certificate, error) { return tls.LoadX509KeyPair(o.Cert, o.Key) }, o.Cert, o.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("api: TLS: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		current := pair.get()
		return &current, nil
	}}), nil
}

// access is who may do what.
func (o Options) access(log *slog.Logger) (a access, err error) {
	if o.Tokens != "" {
		tokens, err := newFresh(log, func() ([]token, error) { return readTokens(o.Tokens) }, o.Tokens)
		if err != nil {
			return a, fmt.Errorf("api: %w", err)
		}
		a.tokens = tokens.get
		if info, err := os.Stat(o.Tokens); err == nil && info.Mode()&0o077 != 0 {
			log.Warn("others on this machine may read or write the API's tokens", "file", o.Tokens, "mode", info.Mode(), "remedy", "chmod 600")
		}
	}
	host, _, _ := net.SplitHostPort(o.Address)
	if o.Tokens == "" {
		a.anonymous = []Scope{Operate}
		if o.OpenAdmin && loopback(host) {
			a.anonymous = []Scope{Admin}
		}
	}
	a.hosts = []string{strings.ToLower(host)}
	if name, err := os.Hostname(); err == nil {
		a.hosts = append(a.hosts, strings.ToLower(name))
	}
	return a, nil
}
