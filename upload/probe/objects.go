package probe

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tidemark/tidemark/upload"
)

// Access lists and deletes. Who may not delete must find out before anything is put. It
// deletes what probes left that were killed.
var Access = Check{
	Name: "list_and_delete", Required: true,
	Allows: "what is dead is found and deleted",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		old := []string{p.Name()}
		for info, err := range p.Store.List(ctx, Prefix) {
			if err != nil {
				return "", fmt.Errorf("list: %w", err)
			}
			if Left(info.Name, info.Modified) {
				old = append(old, info.Name)
			}
		}
		if err := p.Store.Delete(ctx, old...); err != nil {
			return "", fmt.Errorf("delete: %w", err)
		}
		return "", nil
	},
}

// Range reads a part of an object.
var Range = Check{
	Name: "ranged_get", Required: true,
	Allows: "a restore reads the files that are packed in an object",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		const content, from, length = "0123456789", 2, 3
		info, err := p.put(ctx, content)
		if err != nil {
			return "", fmt.Errorf("put: %w", err)
		}
		r, err := p.Store.GetRange(ctx, info.Name, from, length)
		if err != nil {
			return "", fmt.Errorf("get of a range: %w", err)
		}
		b, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err == nil && string(b) != content[from:from+length] {
			err = fmt.Errorf("%w: read %q, not %q", upload.ErrUnsupported, b, content[from:from+length])
		}
		if err != nil {
			return "", fmt.Errorf("get of a range: %w", err)
		}
		return "", nil
	},
}

// etags compares the ETags of one content in all answers that have one.
var etags = Check{
	Name: "etags", Required: true,
	Allows: "a reader of head can swap it",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		put, err := p.put(ctx, "etag")
		if err != nil {
			return "", err
		}
		body, get, err := p.Store.Get(ctx, put.Name)
		if err != nil {
			return "", err
		}
		if err := body.Close(); err != nil {
			return "", err
		}
		head, err := p.Store.Head(ctx, put.Name)
		if err != nil {
			return "", err
		}
		if put.Version != get.Version || put.Version != head.Version {
			return "", fmt.Errorf("%w: the ETag is %s in the answer to PUT, %s to GET and %s to HEAD", upload.ErrUnsupported, put.Version, get.Version, head.Version)
		}
		return "PUT, GET and HEAD agree", nil
	},
}

// listing looks whether a listing shows at once what was put and deleted.
var listing = Check{
	Name: "list_after_write", Required: true,
	Allows: "a sweep sees what there is",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		const objects = 10
		var names []string
		for range objects {
			info, err := p.put(ctx, "listed")
			if err != nil {
				return "", err
			}
			names = append(names, info.Name)
		}
		listed := func(want int) error {
			n := 0
			for info, err := range p.Store.List(ctx, p.base) {
				if err != nil {
					return err
				}
				for _, name := range names {
					if info.Name == name {
						n++
					}
				}
			}
			if n != want {
				return fmt.Errorf("%w: a listing shows %d objects of %d", upload.ErrUnsupported, n, want)
			}
			return nil
		}
		if err := listed(objects); err != nil {
			return "", err
		}
		if err := p.Store.Delete(ctx, names...); err != nil {
			return "", err
		}
		return fmt.Sprintf("%d objects, put and deleted", objects), listed(0)
	},
}

// batch deletes objects that are there and one that is not in one request.
var batch = Check{
	Name: "batch_delete", Required: true,
	Allows: "many objects are deleted by one request",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		names := []string{p.Name()}
		for range 2 {
			info, err := p.put(ctx, "deleted")
			if err != nil {
				return "", err
			}
			names = append(names, info.Name)
		}
		if err := p.Store.Delete(ctx, names...); err != nil {
			return "", err
		}
		for _, name := range names {
			if _, err := p.Store.Head(ctx, name); err == nil {
				return "", fmt.Errorf("%w: %s is still there", upload.ErrUnsupported, name)
			} else if !errors.Is(err, upload.ErrNotExist) {
				return "", err
			}
		}
		return "absent objects included", nil
	},
}

// copies lets the store copy an object.
var copies = Check{
	Name:   "server_side_copy",
	Allows: "checkpoints are copied within the bucket without reading them",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		const content = "copied"
		info, err := p.put(ctx, content)
		if err != nil {
			return "", err
		}
		to := p.Name()
		if err := p.Store.Copy(ctx, info.Name, to); err != nil {
			return "", err
		}
		b, copied, err := upload.ReadAll(ctx, p.Store, to, 100)
		switch {
		case errors.Is(err, upload.ErrCorrupt):
			return "", fmt.Errorf("%w: the copy has a checksum that is not that of its bytes", upload.ErrUnsupported)
		case err != nil:
			return "", err
		case string(b) != content:
			return "", fmt.Errorf("%w: the copy is %q, not %q", upload.ErrUnsupported, b, content)
		case !copied.HasCRC32C:
			return "the copy has no checksum", nil
		}
		return "with its checksum", nil
	},
}
