package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/sink"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
)

// advice says what to do about errors whose own text does not. The first entry that
// matches counts. PROGRAM stands for the program's name.
var advice = []struct {
	is   error
	what string
}{
	{checkpoint.ErrFenced, "another process leads this job now; nothing is lost. Stop one of them for good"},
	{checkpoint.ErrGraphMismatch, "nothing was changed. Run the job that wrote the checkpoint, drop the state of operators that are gone for good with --drop-state <operator>, or start anew with --restore none or another --job-id"},
	{state.ErrUndeclared, "nothing was changed. Declare them again, or drop each for good with --drop-state <operator>/<state>"},
	{state.ErrIncompatible, "nothing was changed. Give the state another name, or start anew with --restore none or another --job-id"},
	{sink.ErrOutputInUse, "nothing was changed. Choose another directory for the output"},
	{filestore.ErrHeld, "a process runs this job on this store; it was not disturbed. Wait for its end, or stop it first"},
	{sink.ErrForeignOutput, "nothing was changed. Move the output away, or choose another directory"},
	{incremental.ErrNewerVersion, "nothing was changed. Use the version of tidemark that wrote it, or a newer one"},
	{incremental.ErrCannotRestore, "nothing was changed. Use the program that wrote it or a newer one, or start from an older checkpoint with --restore <id> (PROGRAM checkpoints show names what wrote it)"},
	{incremental.ErrCorruptState, "nothing was deleted. Start from another checkpoint with --restore <id> (PROGRAM checkpoints ls, verify)"},
	{coordinator.ErrNotRetained, "nothing was changed. Choose one that is retained; a start with --restore takes latest and none, too"},
	{coordinator.ErrJobExists, "name another place, or remove what is there"},
	{upload.ErrNoBucket, "create it, or correct its URL"},
	{checkpoint.ErrRefused, "let the store take it (credentials, permissions, the bucket); the same command then resumes from the newest checkpoint"},
	{upload.ErrUnsupported, "nothing was changed. Use a server that can, or another --checkpoint-store (the S3 servers that were tried are listed in cmd/OPERATIONS.md)"},
	{upload.ErrClock, "set the clock of this machine"},
	{upload.ErrKey, "see that the key exists, is enabled and in the bucket's region, and that the credentials may use it (kms:GenerateDataKey, kms:Decrypt)"},
	{upload.ErrDenied, "check the credentials (AWS_ACCESS_KEY_ID and so on) or the directory's permissions"},
	{upload.ErrCorrupt, "nothing was changed or deleted. Put back an intact copy of the object (a bucket with versions has one) or, if it is a checkpoint's, start from another with --restore <id> (PROGRAM checkpoints ls, verify)"},
	{upload.ErrNotExist, "nothing was changed or deleted. Put the object back (a bucket with versions has it), or start from another checkpoint with --restore <id> (PROGRAM checkpoints ls, verify)"},
	{upload.ErrNoSpace, "make room in the store; the job goes on from its newest checkpoint"},
	{launch.ErrStore, "check that it can be reached, or correct its URL"},
	{incremental.ErrInUse, "a process on this machine runs this job; it was not disturbed. Wait for its end, or stop it first"},
	{incremental.ErrForeignDir, "nothing was changed or deleted. Choose a new or empty directory with --state-dir"},
	{launch.ErrStateDir, "choose with --state-dir a directory that can be written to and that no other process uses"},
	{launch.ErrProfiles, "choose with --pprof a directory that can be written to"},
	{deploy.ErrRepeated, "mend what fails; the same command then goes on from the newest checkpoint. If only time mends it, allow more tries with --same-failures"},
}

// Explain adds to an error what to do about it, in terms of a program that has
// the built-in jobs and their flags or, where builtIn is false, a job of its own.
func Explain(err error, program string, builtIn bool) error {
	if _, ok := errors.AsType[*source.MalformedError](err); ok {
		return fmt.Errorf("%w\n  what to do: %s", err, malformedAdvice(builtIn))
	}
	for _, a := range advice {
		if errors.Is(err, a.is) {
			return fmt.Errorf("%w\n  what to do: %s", err, strings.ReplaceAll(a.what, "PROGRAM", program))
		}
	}
	return err
}

func malformedAdvice(builtIn bool) string {
	if builtIn {
		return "correct the input, or go on without such records: --on-malformed quarantine:DIR keeps them, --on-malformed skip counts them"
	}
	return "correct the input, or go on without such records: the program may set OnMalformed in source.Options to source.Quarantine(dir), which keeps them, or to source.Skip, which counts them"
}
