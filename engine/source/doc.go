// Package source answers: where do records come from?
package source
