package engine

import "reflect"

// RecordBytes is the size of a record up to which BatchRecords of them travel together. Of
// larger ones there are fewer, so that a batch takes about as much memory (I12). What is
// smaller is counted as it is.
const RecordBytes = 256

// sampleRecords is how many records of a batch are looked at for their size. Of a slice or
// a map as many elements are as steps are left: fewer, the deeper it lies.
const sampleRecords = 4

// sampleBytes estimates the memory of a record of the batch.
func sampleBytes[T any](records []T) float64 {
	n := min(len(records), sampleRecords)
	sum := 0.0
	for i := range n {
		v := reflect.ValueOf(&records[i*len(records)/n]).Elem()
		sum += float64(v.Type().Size()) + referred(v, 8)
	}
	return sum / float64(max(1, n))
}

// referred estimates the memory that v refers to, beside its own, so many steps deep.
func referred(v reflect.Value, depth int) (bytes float64) {
	if depth == 0 {
		return 0
	}
	switch v.Kind() {
	case reflect.String:
		return float64(v.Len())
	case reflect.Pointer, reflect.Interface:
		if e := v.Elem(); e.IsValid() {
			return float64(e.Type().Size()) + referred(e, depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			bytes += referred(v.Field(i), depth-1)
		}
	case reflect.Slice, reflect.Array:
		n := min(v.Len(), depth)
		if k := v.Type().Elem().Kind(); k < reflect.Array { // numbers refer to nothing
			n = 0
		}
		for i := range n {
			bytes += referred(v.Index(i), depth-1)
		}
		bytes *= float64(v.Len()) / float64(max(1, n))
		if v.Kind() == reflect.Slice {
			bytes += float64(v.Len()) * float64(v.Type().Elem().Size())
		}
	case reflect.Map:
		n := 0
		for it := v.MapRange(); n < depth && it.Next(); n++ {
			bytes += float64(it.Key().Type().Size()+it.Value().Type().Size()) + referred(it.Key(), depth-1) + referred(it.Value(), depth-1)
		}
		bytes *= float64(v.Len()) / float64(max(1, n))
	}
	return bytes
}
