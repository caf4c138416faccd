package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"
)

// LogFlags say what is logged, and how.
type LogFlags struct {
	level slog.Leveler // nil: by where the log goes
	json  bool
}

// Bind adds the flags to fs.
func (f *LogFlags) Bind(fs *pflag.FlagSet) {
	fs.Var(Parsed(&f.level, "info, warn on a terminal", parseLevel), "log-level", "debug, info, warn or error")
	fs.Var(Parsed(&f.json, "text", parseFormat), "log-format", "text or json")
}

func parseLevel(s string) (slog.Leveler, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(s))
	return l, err
}

func parseFormat(s string) (json bool, err error) {
	if s != "text" && s != "json" {
		return false, fmt.Errorf("%q: use text or json", s)
	}
	return s == "json", nil
}

// Logger logs to w. Where a person watches a terminal, only what needs a look is logged
// unless the flags say otherwise; a file or a pipe gets what happens, too.
func (f *LogFlags) Logger(w io.Writer, terminal bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: f.level}
	if o.Level == nil {
		if o.Level = slog.LevelInfo; terminal {
			o.Level = slog.LevelWarn
		}
	}
	if f.json {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// Terminal reports whether w is a terminal.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
