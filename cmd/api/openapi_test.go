package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write openapi.json anew from the routes and their types")

// openapi.json describes the paths, methods and types of the code.
func TestOpenAPIIsThatOfTheCode(t *testing.T) {
	want, err := json.MarshalIndent(describeAPI(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(openAPI, want) {
		t.Error("openapi.json is not what the routes and their types say: go test ./cmd/api -run OpenAPI -update")
	}
}

type object = map[string]any

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// describeAPI makes the document of all routes.
func describeAPI() object {
	schemas, paths := object{}, object{}
	for _, r := range routes() {
		parameters := []any{}
		for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
			parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
		}
		for _, q := range r.query {
			parameters = append(parameters, object{"name": q.name, "in": "query", "required": q.required, "description": q.about, "schema": object{"type": "string"}})
		}
		fails := object{"description": "it was not done", "content": content(schemas, Errors{})}
		operation := object{
			"summary": r.summary, "operationId": operationID(r), "parameters": parameters, "security": []any{object{"bearer": []any{}}}, "x-scope": string(r.scope),
			"responses": object{fmt.Sprint(r.status()): object{"description": "done", "content": content(schemas, r.answer)}, "default": fails},
		}
		if r.accepted {
			operation["responses"].(object)["202"].(object)["description"] = "it goes on"
		}
		if r.body != nil {
			operation["requestBody"] = object{"content": content(schemas, r.body)}
		}
		if paths[r.path] == nil {
			paths[r.path] = object{}
		}
		paths[r.path].(object)[strings.ToLower(r.method)] = operation
	}
	return object{
		"openapi": "3.0.3",
		"info": object{
			"title": "Tidemark", "version": "1", "description": "Ask and tell a running job. The shapes are those of Flink's REST API; what it lacks is in objects named tidemark, or under paths of its own.",
		},
		"servers": []any{object{"url": "/"}, object{"url": "/v1"}},
		"paths":   paths,
		"components": object{
			"schemas":         schemas,
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "description": "the scope that a token needs is x-scope of the operation: read, operate or admin"}},
		},
	}
}

func operationID(r route) string {
	words := strings.FieldsFunc(pathParameter.ReplaceAllString(r.path, "by-$1"), func(c rune) bool { return c == '/' || c == '-' || c == '.' })
	id := strings.ToLower(r.method)
	for _, w := range words {
		id += strings.ToUpper(w[:1]) + w[1:]
	}
	return id
}

func content(schemas object, v any) object {
	return object{"application/json": object{"schema": schemaOf(schemas, reflect.TypeOf(v))}}
}

// schemaOf describes a type, and puts those with a name into schemas.
func schemaOf(schemas object, t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		s := schemaOf(schemas, t.Elem())
		if s["$ref"] != nil {
			return object{"allOf": []any{s}, "nullable": true}
		}
		s["nullable"] = true
		return s
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Float64:
		return object{"type": "number", "format": "double"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(schemas, t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(schemas, t.Elem())}
	case reflect.Interface:
		return object{}
	}
	name := t.Name()
	if of, argument, generic := strings.Cut(name, "["); generic {
		name = of + strings.TrimSuffix(argument[strings.LastIndex(argument, ".")+1:], "]")
	}
	if name != "" && schemas[name] != nil {
		return object{"$ref": "#/components/schemas/" + name}
	}
	s, required, properties := object{"type": "object", "additionalProperties": false}, []string{}, object{}
	if name != "" {
		schemas[name] = s
	}
	for _, f := range jsonFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := schemaOf(schemas, f.Type)
		if about := f.Tag.Get("doc"); about != "" {
			if p["$ref"] != nil {
				p = object{"allOf": []any{p}}
			}
			p["description"] = about
		}
		properties[tag] = p
		if options == "" {
			required = append(required, tag)
		}
	}
	s["properties"] = properties
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	if name == "" {
		return s
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// jsonFields are the fields of a struct that are encoded, those of embedded ones among
// them.
func jsonFields(t reflect.Type) (fields []reflect.StructField) {
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Anonymous:
			fields = append(fields, jsonFields(f.Type)...)
		case f.Tag.Get("json") != "":
			fields = append(fields, f)
		}
	}
	return fields
}
