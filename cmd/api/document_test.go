package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
)

type object = map[string]any

// Every operation of the document is served, and its real answers have the fields and
// types that the document says, no more and no less.
func TestAnswersAreThoseOfTheDocument(t *testing.T) {
	s := serve(t, api.Options{}, 20*time.Millisecond)
	d := s.document()
	s.checkpointed(3)
	request := func(method, path, body string) (int, []byte) {
		newest := get[api.CheckpointStatistics](s, "/jobs/pairs/checkpoints").Latest.Completed
		return s.do(method, strings.NewReplacer("{job}", "pairs", "{checkpoint}", fmt.Sprint(newest.ID), "{vertex}", "out", "{request}", "asked").Replace(path), body)
	}
	for _, c := range []struct{ method, path, query, body string }{
		{"GET", "/overview", "", ""}, {"GET", "/config", "", ""}, {"GET", "/openapi.json", "", ""}, {"GET", "/jobs", "", ""}, {"GET", "/jobs/overview", "", ""},
		{"GET", "/jobs/{job}", "", ""}, {"GET", "/jobs/{job}/head", "", ""}, {"GET", "/jobs/{job}/checkpoints", "", ""},
		{"GET", "/jobs/{job}/checkpoints/config", "", ""}, {"GET", "/jobs/{job}/checkpoints/details/{checkpoint}", "", ""},
		{"GET", "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}", "", ""}, {"GET", "/jobs/{job}/checkpoints/{checkpoint}/explain", "", ""},
		{"GET", "/objects/explain", "?name=head", ""}, {"GET", "/jobs/{job}/retention", "", ""}, {"PUT", "/jobs/{job}/retention", "", `{"policy":"newest=4"}`},
		{"POST", "/jobs/{job}/checkpoints", "", `{"triggerId":"asked"}`}, {"GET", "/jobs/{job}/checkpoints/{request}", "", ""},
	} {
		operation := d.operation(c.method, c.path)
		if operation == nil {
			t.Errorf("the document has no %s %s", c.method, c.path)
			continue
		}
		operation["tried"] = true
		var status int
		var body []byte
		until(t, c.method+" "+c.path, func() bool { // the newest checkpoint may be dropped between two requests
			status, body = request(c.method, c.path+c.query, c.body)
			return status != http.StatusNotFound
		})
		if err := d.answers(operation, status, body); err != nil {
			t.Errorf("%s %s: %d: %v", c.method, c.path, status, err)
		}
		if status >= 300 {
			t.Errorf("%s %s: %d: %s", c.method, c.path, status, body)
		}
	}
	for path, methods := range d.root["paths"].(object) {
		for method, operation := range methods.(object) {
			// Those that end the job are tried in tests of their own.
			if ends := path == "/jobs/{job}/stop" || path == "/jobs/{job}/savepoints/{request}" || method == "patch"; operation.(object)["tried"] == nil && !ends {
				t.Errorf("this test does not try %s %s", method, path)
			}
		}
	}
	if status, body := s.do("GET", "/jobs/other", ""); d.answers(d.operation("GET", "/jobs/{job}"), status, body) != nil {
		t.Errorf("an error does not fit: %s", body)
	}
}

// document is openapi.json, as a client reads it.
type document struct{ root object }

func (s *served) document() (d document) {
	s.t.Helper()
	status, text := s.do("GET", "/openapi.json", "")
	if err := json.Unmarshal(text, &d.root); err != nil || status != http.StatusOK {
		s.t.Fatal(status, err)
	}
	return d
}

func (d document) operation(method, path string) object {
	operation, _ := d.at("paths", path, strings.ToLower(method)).(object)
	return operation
}

// answers checks a body against what the document says of an operation's answers.
func (d document) answers(operation object, status int, body []byte) error {
	responses := operation["responses"].(object)
	response, ok := responses[fmt.Sprint(status)].(object)
	if !ok {
		response = responses["default"].(object)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	return d.fits(response["content"].(object)["application/json"].(object)["schema"].(object), v, "answer")
}

func (d document) at(keys ...string) any {
	var v any = d.root
	for _, k := range keys {
		m, _ := v.(object)
		v = m[k]
	}
	return v
}

// fits checks a value against a schema, as far as this document uses schemas.
func (d document) fits(s object, v any, where string) error {
	if all, ok := s["allOf"].([]any); ok {
		if v == nil && s["nullable"] == true {
			return nil
		}
		return d.fits(all[0].(object), v, where)
	}
	if ref, ok := s["$ref"].(string); ok {
		to, ok := d.at("components", "schemas", strings.TrimPrefix(ref, "#/components/schemas/")).(object)
		if !ok {
			return fmt.Errorf("%s: the document lacks %s", where, ref)
		}
		return d.fits(to, v, where)
	}
	if v == nil && s["nullable"] == true || len(s) == 0 || len(s) == 1 && s["description"] != nil {
		return nil
	}
	wrong := fmt.Errorf("%s is %v, and should be %v", where, v, s["type"])
	switch s["type"] {
	case "object":
		m, ok := v.(object)
		if !ok {
			return wrong
		}
		return d.fitsObject(s, m, where)
	case "array":
		list, ok := v.([]any)
		if !ok {
			return wrong
		}
		for i, item := range list {
			if err := d.fits(s["items"].(object), item, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
	case "string":
		if _, ok := v.(string); !ok {
			return wrong
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return wrong
		}
	case "integer", "number":
		n, ok := v.(float64)
		if !ok || s["type"] == "integer" && n != float64(int64(n)) {
			return wrong
		}
	}
	return nil
}

func (d document) fitsObject(s, m object, where string) error {
	properties, _ := s["properties"].(object)
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := m[name.(string)]; !ok {
			return fmt.Errorf("%s lacks %q", where, name)
		}
	}
	for name, v := range m {
		p, ok := properties[name].(object)
		if !ok {
			if p, ok = s["additionalProperties"].(object); !ok {
				return fmt.Errorf("%s has %q, which the document does not know", where, name)
			}
		}
		if err := d.fits(p, v, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}
