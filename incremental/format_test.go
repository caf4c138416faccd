package incremental_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tidemark/tidemark/incremental/format"
)

// Every message and field of the schema is explained in FORMAT.md.
func TestFormatDocumentNamesEveryField(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, manifest, _ := strings.Cut(string(text), "## A manifest")
	manifest, _, _ = strings.Cut(manifest, "## Head")
	// A message's paragraph goes from its name in bold to the next one.
	heading := regexp.MustCompile(`\*\*([A-Z][A-Za-z]*)\*\*`)
	at := heading.FindAllStringSubmatchIndex(manifest, -1)
	about := map[string]string{}
	for i, m := range at {
		end := len(manifest)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		about[manifest[m[2]:m[3]]] += manifest[m[1]:end]
	}
	for _, file := range []protoreflect.FileDescriptor{format.File_handle_proto, format.File_manifest_proto} {
		for i := range file.Messages().Len() {
			m := file.Messages().Get(i)
			for j := range m.Fields().Len() {
				if f := m.Fields().Get(j); !strings.Contains(about[string(m.Name())], "`"+string(f.Name())+"`") {
					t.Errorf("FORMAT.md does not name the field %s of %s", f.Name(), m.Name())
				}
			}
		}
	}
}
