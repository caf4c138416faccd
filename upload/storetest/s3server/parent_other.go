//go:build !linux

package s3server

import "syscall"

// dieWithParent does nothing: only Linux ties a child to its parent.
func dieWithParent() *syscall.SysProcAttr { return nil }
