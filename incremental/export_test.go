package incremental

// SortHandle is for tests that build handles by hand.
var SortHandle = sortHandle

// Fetch is what is to be seen of a fetch.
type Fetch struct {
	Object         string
	Offset, Length int64
	Files          []File
}

// PlanFetches shows planFetches.
func PlanFetches(files []File) []Fetch {
	var all []Fetch
	for _, f := range planFetches(files) {
		all = append(all, Fetch{f.object, f.offset, f.length, f.files})
	}
	return all
}
