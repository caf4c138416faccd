package cli

import (
	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/cmd/api"
)

// bindHTTP adds the flags of a job's API to fs.
func bindHTTP(fs *pflag.FlagSet, o *api.Options) {
	*o = api.Options{Address: api.DefaultAddress, Near: true}
	fs.Var(&httpAddress{o}, "http", "where the job's API is served, host:port; without this flag one of the next ports if that is taken; off: nowhere")
	fs.StringVar(&o.Tokens, "http-tokens", "", "file of lines \"<name> <scope>[,<scope>] <token>\"; scopes: read, operate, admin, state (default: on a loopback address everybody may read and operate)")
	fs.StringVar(&o.Cert, "http-cert", "", "certificate for TLS, a PEM file")
	fs.StringVar(&o.Key, "http-key", "", "key of --http-cert, a PEM file")
	fs.BoolVar(&o.OpenAdmin, "http-admin", false, "serve profiles at /debug/pprof/ to everybody on this machine; with --http-tokens they need the scope admin instead")
	fs.BoolVar(&o.Insecure, "insecure", false, "let --http name an address that other machines reach without TLS or tokens")
}

// httpAddress is the flag of an address that was asked for.
type httpAddress struct{ o *api.Options }

func (a *httpAddress) String() string {
	if a.o == nil || a.o.Address == "" {
		return "off"
	}
	return a.o.Address
}

func (a *httpAddress) Type() string { return "string" }

func (a *httpAddress) Set(s string) error {
	if a.o.Address, a.o.Near = s, false; s == "off" {
		a.o.Address = ""
	}
	return nil
}
