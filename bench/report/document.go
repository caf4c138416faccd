package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Document is what can be written.
type Document interface {
	Markdown() string
}

// Paths returns the two files of a report, whichever of them, or their common
// stem, is named.
func Paths(file string) (markdown, jsonPath string) {
	stem := file
	if ext := filepath.Ext(file); ext == ".md" || ext == ".json" {
		stem = strings.TrimSuffix(file, ext)
	}
	return stem + ".md", stem + ".json"
}

// Write writes a document as Markdown and as JSON beside it, and the charts of a
// suite as SVG beside both.
func Write(file string, d Document) error {
	md, js := Paths(file)
	if dir := filepath.Dir(md); dir != "." {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("report %s: %w", file, err)
		}
	}
	files := map[string][]byte{}
	if s, ok := d.(Suite); ok {
		stem := strings.TrimSuffix(md, ".md")
		s.Charts = slices.Clone(s.Charts)
		for i, c := range s.Charts {
			path := stem + "-" + c.Name + ".svg"
			s.Charts[i].File, files[path] = filepath.Base(path), c.SVG
		}
		d = s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("report %s: %w", file, err)
	}
	files[md], files[js] = []byte(d.Markdown()), b.Bytes()
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o666); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// Head is what every report begins with.
type Head struct {
	Title   string    `json:"title"`
	Made    time.Time `json:"made"`
	Version string    `json:"version"`
	Library string    `json:"rocksdb"` // which RocksDB is linked
	Machine Machine   `json:"machine"` // when the report was begun
	// LoadAfter are the load averages at the end; the machine's own are those
	// of the beginning.
	LoadAfter string `json:"load_after,omitempty"`
	Command   string `json:"command,omitempty"`
}

func (h Head) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "# %s\n\n", h.Title)
	if h.Command != "" {
		fmt.Fprintf(b, "    %s\n\n", h.Command)
	}
	fmt.Fprintf(b, "- %s, %s, %s\n- %s\n- %s\n", h.Made.UTC().Format("2006-01-02 15:04 UTC"), h.Version, h.Library, h.Machine, "load average "+h.Machine.Load)
	if h.LoadAfter != "" {
		fmt.Fprintf(b, "- load average at the end %s\n", h.LoadAfter)
	}
	b.WriteString("\n")
}

// table writes a Markdown table.
func table(b *strings.Builder, header []string, rows [][]string) {
	row := func(cells []string) {
		b.WriteString("|")
		for _, c := range cells {
			b.WriteString(" " + strings.ReplaceAll(c, "|", "\\|") + " |")
		}
		b.WriteString("\n")
	}
	row(header)
	b.WriteString("|" + strings.Repeat("---|", len(header)) + "\n")
	for _, r := range rows {
		row(r)
	}
	b.WriteString("\n")
}
