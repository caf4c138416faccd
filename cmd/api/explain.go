package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
)

// Explained says what an object is for.
type Explained struct {
	Object     string           `json:"object"`
	Fate       coordinator.Fate `json:"fate" doc:"kept, open, dead or foreign"`
	Why        string           `json:"why"`
	Stored     bool             `json:"stored"`
	Bytes      int64            `json:"bytes"`
	Put        time.Time        `json:"put,omitzero"`
	Checkpoint uint64           `json:"checkpoint" doc:"that it was written for; 0: none"`
	Epoch      uint64           `json:"epoch"`
	Uses       []Use            `json:"uses"`
}

// Use says what a retained checkpoint needs an object for.
type Use struct {
	Checkpoint uint64    `json:"checkpoint"`
	Epoch      uint64    `json:"epoch"`
	Created    time.Time `json:"created"`
	KeptBy     []string  `json:"kept_by"`
	Bytes      int64     `json:"bytes" doc:"of the object"`
	Files      []FileUse `json:"files"`
}

// FileUse is a file of a checkpoint in an object.
type FileUse struct {
	Operator string `json:"operator"`
	Subtask  int    `json:"subtask"`
	File     string `json:"file"`
	State    string `json:"state" doc:"empty: of no state alone"`
	Bytes    int64  `json:"bytes"`
}

// NewExplained describes an explanation.
func NewExplained(object string, e coordinator.Explanation) Explained {
	x := Explained{
		Object: object, Fate: e.Fate, Why: why(e), Stored: e.Stored, Bytes: e.Bytes, Put: e.Put,
		Checkpoint: uint64(e.Writer.ID), Epoch: uint64(e.Writer.Epoch), Uses: []Use{},
	}
	for _, u := range e.Uses {
		to := Use{uint64(u.Checkpoint.ID), uint64(u.Checkpoint.Epoch), u.Created, u.KeptBy, u.Bytes(), []FileUse{}}
		for _, f := range u.Files {
			to.Files = append(to.Files, FileUse{string(f.Operator), f.Subtask, f.File, f.State, f.Bytes})
		}
		x.Uses = append(x.Uses, to)
	}
	return x
}

// why says in words what becomes of an object.
func why(e coordinator.Explanation) string {
	var by []string
	for _, u := range e.Uses {
		by = append(by, u.Checkpoint.ID.String())
	}
	switch {
	case len(by) > 0:
		return fmt.Sprintf("retained checkpoints need it: %s. It goes when retention has dropped the last of them", strings.Join(by, ", "))
	case e.History && e.Fate == coordinator.FateKept:
		return "it lists the checkpoints that ended, for people; the leader puts a newer one in its place"
	case e.History:
		return "a newer history has taken its place. The leader's sweep deletes it, or gc --apply"
	case e.Fate == coordinator.FateKept:
		return "it is no checkpoint's own: retention never deletes it"
	case e.Fate == coordinator.FateForeign:
		return "its name is not one that the job gives: nothing ever deletes it"
	case e.Fate == coordinator.FateDead && e.Writer == (coordinator.Ref{}):
		return "it is the mark of the copy that this job is, and that is finished: the leader's sweep deletes it, or gc --apply"
	case e.Fate == coordinator.FateDead:
		return fmt.Sprintf("no retained checkpoint needs it, and none ever can: it is of epoch %d, and the last is %d. The leader's sweep deletes it, or gc --apply",
			e.Writer.Epoch, e.Head)
	}
	return fmt.Sprintf("no retained checkpoint needs it. Checkpoint %d of epoch %d, the last, may be under way; if it is not, the leader's sweep deletes it, each hour and when the job starts, or gc --retire if it never will",
		e.Writer.ID, e.Writer.Epoch)
}

func (s *Server) explainObject(r *http.Request) (any, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(r.URL.Query().Get("name"), strings.TrimSuffix(s.place(), "/")+"/")
	if name == "" {
		return nil, failed(http.StatusBadRequest, "name is missing: give an object's, such as data/3f/1-5-count.0-1-…")
	}
	if err := upload.CheckName(name); err != nil {
		return nil, failure{http.StatusBadRequest, err}
	}
	e, err := coordinator.Explain(r.Context(), store, name)
	if err != nil {
		return nil, storeFailed(err)
	}
	return NewExplained(name, e), nil
}

// ExplainedCheckpoint says what a checkpoint consists of, and what would go with it.
type ExplainedCheckpoint struct {
	ID        uint64            `json:"id"`
	Epoch     uint64            `json:"epoch"`
	Base      uint64            `json:"base" doc:"0: none"`
	Kind      string            `json:"kind"`
	Created   time.Time         `json:"created"`
	KeptBy    []string          `json:"kept_by"`
	FullBytes int64             `json:"full_bytes" doc:"of all keyed state"`
	NewBytes  int64             `json:"new_bytes" doc:"that it uploaded"`
	OwnBytes  int64             `json:"own_bytes" doc:"of objects that no other retained checkpoint needs: they go with it"`
	Objects   []ExplainedObject `json:"objects" doc:"by name"`
}

// ExplainedObject is an object of a checkpoint.
type ExplainedObject struct {
	Name       string   `json:"name"`
	Bytes      int64    `json:"bytes"`
	SharedWith []uint64 `json:"shared_with" doc:"other retained checkpoints that need it"`
}

func (s *Server) explainCheckpoint(r *http.Request) (any, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	if r.PathValue("explain") != "explain" {
		return nil, failed(http.StatusNotFound, "%s is no path of this API", r.URL.Path)
	}
	id, err := checkpointID(r)
	if err != nil {
		return nil, err
	}
	infos, err := coordinator.List(r.Context(), store)
	if err != nil {
		return nil, storeFailed(err)
	}
	i := slices.IndexFunc(infos, func(i coordinator.CheckpointInfo) bool { return i.ID == id })
	if i < 0 {
		return nil, failed(http.StatusNotFound, "checkpoint %d is not retained", id)
	}
	m, shared, err := coordinator.Inspect(r.Context(), store, infos[i], infos)
	if err != nil {
		return nil, storeFailed(err)
	}
	x := ExplainedCheckpoint{
		ID: uint64(id), Epoch: uint64(m.Epoch), Base: uint64(m.Base), Kind: m.Kind.String(), Created: infos[i].Created, KeptBy: infos[i].KeptBy,
		FullBytes: m.Stats.FullBytes, NewBytes: m.Stats.NewBytes, Objects: []ExplainedObject{},
	}
	objects := m.Objects()
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		o := ExplainedObject{Name: name, Bytes: objects[name].Size, SharedWith: []uint64{}}
		for _, by := range shared[name] {
			o.SharedWith = append(o.SharedWith, uint64(by))
		}
		if len(o.SharedWith) == 0 {
			x.OwnBytes += o.Bytes
		}
		x.Objects = append(x.Objects, o)
	}
	return x, nil
}
