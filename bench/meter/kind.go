package meter

import (
	"net/http"
	"net/url"
	"strings"
)

// Kind is a kind of request.
type Kind string

// The kinds.
const (
	Get      Kind = "GET"
	Head     Kind = "HEAD"
	List     Kind = "LIST"
	Put      Kind = "PUT"
	Copy     Kind = "COPY"
	Delete   Kind = "DELETE" // one object, or many of them
	Create   Kind = "create multipart"
	Part     Kind = "part"
	Complete Kind = "complete multipart"
	Abort    Kind = "abort multipart"
	Other    Kind = "other"
)

// Kinds are all kinds, in the order of reports.
var Kinds = []Kind{Put, Copy, Create, Part, Complete, List, Get, Head, Delete, Abort, Other}

// class is how S3 charges a request.
type class int

const (
	putClass class = iota // PUT, COPY, POST and LIST
	getClass              // all others
	free                  // DELETE and the end of an upload without an object
)

func (k Kind) class() class {
	switch k {
	case Get, Head:
		return getClass
	case Delete, Abort:
		return free
	}
	return putClass
}

// kindOf says what a request in path style asks for.
func kindOf(method string, u *url.URL, h http.Header) Kind {
	q := u.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	object := key != ""
	copies := h.Get("X-Amz-Copy-Source") != ""
	switch {
	case method == http.MethodGet && object && !q.Has("uploadId") && !q.Has("uploads"):
		return Get
	case method == http.MethodGet:
		return List
	case method == http.MethodHead:
		return Head
	case method == http.MethodPut && q.Has("partNumber"):
		return Part
	case method == http.MethodPut && object && copies:
		return Copy
	case method == http.MethodPut && object:
		return Put
	case method == http.MethodDelete && q.Has("uploadId"):
		return Abort
	case method == http.MethodDelete, method == http.MethodPost && q.Has("delete"):
		return Delete
	case method == http.MethodPost && q.Has("uploads"):
		return Create
	case method == http.MethodPost && q.Has("uploadId"):
		return Complete
	}
	return Other
}
