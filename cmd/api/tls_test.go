package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
)

// certificate writes a certificate of 127.0.0.1 and its key, and returns who trusts it.
func certificate(t *testing.T) (cert, key string, trusts *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	public, err := x509.CreateCertificate(rand.Reader, of, of, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir, trusts := t.TempDir(), x509.NewCertPool()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "EC PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(cert)
	if err != nil || !trusts.AppendCertsFromPEM(b) {
		t.Fatal("no certificate", err)
	}
	return cert, key, trusts
}

// With a certificate there is no plain HTTP, and a client that does not trust it sends
// nothing.
func TestTLS(t *testing.T) {
	cert, key, trusts := certificate(t)
	s := serve(t, api.Options{Cert: cert, Key: key, Tokens: tokens(t)}, 0)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("it is served at %s", s.url)
	}
	client := func(pool *x509.CertPool, server string) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		c := &api.Client{Server: server, Token: "read-token-of-the-test", HTTP: &http.Client{Transport: transport}}
		_, err := c.Jobs(t.Context())
		return err
	}
	if err := client(trusts, s.url); err != nil {
		t.Error(err)
	}
	if err := client(x509.NewCertPool(), s.url); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody trusts: %v", err)
	}
	if err := client(trusts, strings.Replace(s.url, "https", "http", 1)); err == nil {
		t.Error("plain HTTP is answered")
	}
	if _, err := api.Listen(t.Context(), api.Options{Address: "127.0.0.1:0", Cert: key, Key: cert}, nil); err == nil {
		t.Error("certificate and key are exchanged")
	}
}
