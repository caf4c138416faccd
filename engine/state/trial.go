package state

import (
	"context"
	"errors"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// NewTrial returns a registry for an operator that is opened to see whether its
// states are declared well: Err says what is wrong. It keeps nothing, and the
// states opened with it must not be used.
func NewTrial(keySignature string) *Registry { return NewRegistry(trial{}, keySignature, nil) }

var errTrial = errors.New("the operator is only being checked: its states hold nothing")

// trial is a Backend and a Column that has only declarations.
type trial struct{}

func (trial) Column(Descriptor) (Column, error) { return trial{}, nil }
func (trial) Snapshot(context.Context, checkpoint.Barrier) (Pending, error) {
	return nil, errTrial
}
func (trial) Unopened() []string                      { return nil }
func (trial) Committed(checkpoint.ID)                 {}
func (trial) Aborted(checkpoint.ID)                   {}
func (trial) Close() error                            { return nil }
func (trial) Get(dst, _ []byte) ([]byte, bool, error) { return dst, false, errTrial }
func (trial) Put(_, _ []byte) error                   { return errTrial }
func (trial) Delete([]byte) error                     { return errTrial }
func (trial) Scan(_, _ []byte) Iterator               { return trialScan{} }

type trialScan struct{}

func (trialScan) Next() bool       { return false }
func (trialScan) Seek([]byte) bool { return false }
func (trialScan) Key() []byte      { return nil }
func (trialScan) Value() []byte    { return nil }
func (trialScan) Err() error       { return errTrial }
func (trialScan) Close() error     { return nil }
