package incremental

import "slices"

// shortLivedShare bounds the part of an object that files may take which die with their
// checkpoint. With more, the files beside them would soon be uploaded again because of
// the dead ones.
const shortLivedShare = 1. / 8

// Pack deals files out to objects, each a list of files in the order in which
// they follow one another: large files alone, others together up to
// ObjectBytes. Files that are not immutable live shorter than those that are,
// and share an object with them only where they are a small part of it. Every
// file is in exactly one object, and no object is empty. Pure.
func Pack(files []LocalFile, o PlanOptions) [][]LocalFile {
	o = o.withDefaults()
	files = slices.SortedFunc(slices.Values(files), compareNames)
	var lasting, passing, large []LocalFile
	for _, f := range files {
		switch {
		case f.Size >= o.ObjectBytes/2 && f.Immutable:
			large = append(large, f)
		case f.Immutable:
			lasting = append(lasting, f)
		default:
			passing = append(passing, f)
		}
	}
	objects := fill(lasting, o.ObjectBytes)
	for _, f := range large {
		objects = append(objects, []LocalFile{f})
	}
	n := totalSize(passing)
	for i := range objects {
		if float64(n) <= shortLivedShare*float64(totalSize(objects[i])) {
			objects[i] = append(objects[i], passing...)
			return objects
		}
	}
	return append(objects, fill(passing, o.ObjectBytes)...)
}

// fill packs files in order, each object up to limit or one file. Neighbours in
// name were written together, and tend to die together.
func fill(files []LocalFile, limit int64) [][]LocalFile {
	var objects [][]LocalFile
	room := int64(0)
	for _, f := range files {
		if len(objects) == 0 || f.Size > room {
			objects, room = append(objects, nil), limit
		}
		last := len(objects) - 1
		objects[last] = append(objects[last], f)
		room -= f.Size
	}
	return objects
}

func totalSize(files []LocalFile) int64 {
	var n int64
	for _, f := range files {
		n += f.Size
	}
	return n
}
