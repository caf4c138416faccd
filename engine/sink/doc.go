// Package sink answers: where do records go?
package sink
