package parquet

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// setFunc stores a column's value in a field; the error is about this value.
type setFunc func(v *parquet.Value, p unsafe.Pointer) error

// setter returns how a column's values become values of a field. Each value comes
// over exactly, or the column is refused, or the value.
func setter(e *element, t reflect.Type, at string, tag options) (setFunc, error) {
	var set setFunc
	hint := "no type holds it"
	physical := e.SchemaElement.Type.V
	if !sound(e.logical(), physical, e.TypeLength.V) {
		return nil, fmt.Errorf("%w: column %q is said to be %v: %w", ErrColumns, e.path, e, errSchema)
	}
	switch l := e.logical().(type) {
	case *format.TimestampType:
		set, hint = timestampSetter(t, unitOf(l.Unit), tag), "use time.Time, or an int64 with the tag option timestamp(unit)"
	case *format.DateType:
		set, hint = dateSetter(t, tag), "use time.Time, or an int32 with the tag option date, for days since 1970"
	case *format.TimeType:
		set, hint = timeSetter(t, unitOf(l.Unit)), "use time.Duration, for the time since midnight"
	case *format.DecimalType:
		set, hint = decimalSetter(t, physical, l), "use a string, which holds every digit"
	case *format.UUIDType:
		set, hint = uuidSetter(t), "use a string or a [16]byte"
	case *format.Float16Type:
		set, hint = floatSetter(t, 11, func(v *parquet.Value) float64 { return float16(v.ByteArray()) }), "use a float32"
	case *format.IntType:
		set, hint = integerSetter(t, physical, int(l.BitWidth), l.IsSigned), "use "+integerHint(int(l.BitWidth), l.IsSigned)
	case *format.StringType, *format.EnumType, *format.JsonType:
		set, hint = textSetter(t, true), "use a string or []byte"
	default:
		switch physical {
		case format.Boolean:
			if hint = "use a bool"; t.Kind() == reflect.Bool {
				set = func(v *parquet.Value, p unsafe.Pointer) error { *(*bool)(p) = v.Boolean(); return nil }
			}
		case format.Int32:
			set, hint = integerSetter(t, physical, 32, true), "use an int32 or an int64"
		case format.Int64:
			set, hint = integerSetter(t, physical, 64, true), "use an int64"
		case format.Int96:
			set, hint = int96Setter(t), "it is a timestamp of old writers: use time.Time"
		case format.Float:
			set, hint = floatSetter(t, 24, func(v *parquet.Value) float64 { return float64(v.Float()) }), "use a float32 or a float64"
		case format.Double:
			set, hint = floatSetter(t, 53, func(v *parquet.Value) float64 { return v.Double() }), "use a float64"
		case format.ByteArray:
			set, hint = textSetter(t, false), "use []byte or a string"
		case format.FixedLenByteArray:
			set, hint = textSetter(t, false), fmt.Sprintf("use []byte, [%d]byte or a string", e.TypeLength.V)
			if _, ok := l.(interval); ok && t.Kind() == reflect.String {
				set = nil
			}
		}
	}
	if array := t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8; array && physical == format.FixedLenByteArray && t.Len() == int(e.TypeLength.V) {
		set = func(v *parquet.Value, p unsafe.Pointer) error {
			copy(unsafe.Slice((*byte)(p), t.Len()), v.ByteArray())
			return nil
		}
	}
	if set == nil {
		return nil, mismatch(e, t, at, hint)
	}
	return set, nil
}

// sound reports whether a column of the physical type can have the meaning.
func sound(logical any, physical format.Type, length int32) bool {
	switch l := logical.(type) {
	case *format.TimestampType:
		return physical == format.Int64
	case *format.DateType:
		return physical == format.Int32
	case *format.TimeType:
		return physical == format.Int32 && unitOf(l.Unit) == time.Millisecond || physical == format.Int64 && unitOf(l.Unit) != time.Millisecond
	case *format.DecimalType:
		return l.Scale >= 0 && (physical == format.Int32 || physical == format.Int64 || physical == format.ByteArray || physical == format.FixedLenByteArray)
	case *format.UUIDType:
		return physical == format.FixedLenByteArray && length == 16
	case *format.Float16Type:
		return physical == format.FixedLenByteArray && length == 2
	case *format.IntType:
		return physical == format.Int64 && l.BitWidth == 64 || physical == format.Int32 && (l.BitWidth == 8 || l.BitWidth == 16 || l.BitWidth == 32)
	case *format.StringType, *format.EnumType, *format.JsonType, *format.BsonType:
		return physical == format.ByteArray
	}
	return true
}

// storeInt returns how an integer kind is written to memory, and its bits.
func storeInt(t reflect.Type) (store func(p unsafe.Pointer, x uint64), bits int, signed bool) {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		signed = true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		return nil, 0, false
	}
	switch bits = t.Bits(); bits {
	case 8:
		store = func(p unsafe.Pointer, x uint64) { *(*uint8)(p) = uint8(x) }
	case 16:
		store = func(p unsafe.Pointer, x uint64) { *(*uint16)(p) = uint16(x) }
	case 32:
		store = func(p unsafe.Pointer, x uint64) { *(*uint32)(p) = uint32(x) }
	default:
		store = func(p unsafe.Pointer, x uint64) { *(*uint64)(p) = x }
	}
	return store, bits, signed
}

// integerSetter takes a column of so many bits into an integer or a float that
// holds each of its values.
func integerSetter(t reflect.Type, physical format.Type, bits int, signed bool) setFunc {
	get := func(v *parquet.Value) uint64 { return uint64(v.Int64()) }
	switch {
	case physical == format.Int32 && signed:
		get = func(v *parquet.Value) uint64 { return uint64(int64(v.Int32())) }
	case physical == format.Int32:
		get = func(v *parquet.Value) uint64 { return uint64(uint32(v.Int32())) }
	}
	store, has, hasSign := storeInt(t)
	if store != nil {
		if hasSign == signed && has >= bits || hasSign && !signed && has > bits {
			return func(v *parquet.Value, p unsafe.Pointer) error { store(p, get(v)); return nil }
		}
		return nil
	}
	return floatSetter(t, bits, func(v *parquet.Value) float64 {
		if signed {
			return float64(int64(get(v)))
		}
		return float64(get(v))
	})
}

func integerHint(bits int, signed bool) string {
	switch {
	case signed:
		return fmt.Sprintf("an int%d", bits)
	case bits < 64:
		return fmt.Sprintf("a uint%d or an int%d", bits, 2*bits)
	}
	return "a uint64"
}

var errNotFinite = errors.New("a value that is no finite number")

// floatSetter takes numbers of so many significant bits. NaN and the infinities
// are refused: nothing that is computed from them, and no JSON, could hold them.
func floatSetter(t reflect.Type, bits int, get func(*parquet.Value) float64) setFunc {
	switch {
	case t.Kind() == reflect.Float32 && bits <= 24:
		return func(v *parquet.Value, p unsafe.Pointer) error {
			x := get(v)
			*(*float32)(p) = float32(x)
			return finite(x)
		}
	case t.Kind() == reflect.Float64 && bits <= 53:
		return func(v *parquet.Value, p unsafe.Pointer) error {
			x := get(v)
			*(*float64)(p) = x
			return finite(x)
		}
	}
	return nil
}

func finite(x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("%v: %w", x, errNotFinite)
	}
	return nil
}

func float16(b []byte) float64 {
	x := uint16(b[0]) | uint16(b[1])<<8
	sign, exponent, fraction := 1-2*float64(x>>15), int(x>>10&31), float64(x&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// textSetter takes bytes into a string or a slice of bytes.
func textSetter(t reflect.Type, text bool) setFunc {
	isUTF8 := func(b []byte) error {
		if text && !utf8.Valid(b) {
			return fmt.Errorf("%.60q is not UTF-8, which a STRING has to be", b)
		}
		return nil
	}
	switch {
	case t.Kind() == reflect.String:
		return func(v *parquet.Value, p unsafe.Pointer) error {
			b := v.ByteArray()
			*(*string)(p) = string(b)
			return isUTF8(b)
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return func(v *parquet.Value, p unsafe.Pointer) error {
			b := v.ByteArray()
			*(*[]byte)(p) = append(make([]byte, 0, len(b)), b...)
			return isUTF8(b)
		}
	}
	return nil
}

func uuidSetter(t reflect.Type) setFunc {
	if t.Kind() == reflect.String {
		return func(v *parquet.Value, p unsafe.Pointer) error {
			b := v.ByteArray()
			*(*string)(p) = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
			return nil
		}
	}
	return textSetter(t, false)
}

func unitOf(u format.TimeUnit) time.Duration {
	if u, ok := u.Value.(interface{ Duration() time.Duration }); ok {
		return u.Duration()
	}
	return 0
}

const day = 24 * time.Hour

// timestampSetter takes timestamps into a time.Time, which holds all, or into an
// int64 of the tag's unit.
func timestampSetter(t reflect.Type, unit time.Duration, tag options) setFunc {
	if unit == 0 {
		return nil
	}
	perSecond := int64(time.Second / unit)
	if t == timeType {
		return func(v *parquet.Value, p unsafe.Pointer) error {
			x := v.Int64()
			*(*time.Time)(p) = time.Unix(x/perSecond, x%perSecond*int64(unit)).UTC()
			return nil
		}
	}
	want, ok := map[string]time.Duration{
		"timestamp": time.Millisecond, "timestamp(millisecond)": time.Millisecond,
		"timestamp(microsecond)": time.Microsecond, "timestamp(nanosecond)": time.Nanosecond,
	}[tag.timestamp]
	if !ok || t.Kind() != reflect.Int64 {
		return nil
	}
	return func(v *parquet.Value, p unsafe.Pointer) error {
		x := v.Int64()
		switch {
		case unit >= want:
			factor := int64(unit / want)
			*(*int64)(p) = x * factor
			if x*factor/factor != x {
				return fmt.Errorf("timestamp %d in units of %v does not fit an int64 in units of %v", x, unit, want)
			}
		default:
			factor := int64(want / unit)
			*(*int64)(p) = x / factor
			if x%factor != 0 {
				return fmt.Errorf("timestamp %d in units of %v is no whole number of %v", x, unit, want)
			}
		}
		return nil
	}
}

func dateSetter(t reflect.Type, tag options) setFunc {
	if t == timeType {
		return func(v *parquet.Value, p unsafe.Pointer) error {
			*(*time.Time)(p) = time.Unix(int64(v.Int32())*int64(day/time.Second), 0).UTC()
			return nil
		}
	}
	if tag.date == "" {
		return nil
	}
	return integerSetter(t, format.Int32, 32, true)
}

func timeSetter(t reflect.Type, unit time.Duration) setFunc {
	if t != durationType || unit == 0 {
		return nil
	}
	return func(v *parquet.Value, p unsafe.Pointer) error {
		x := v.Int64()
		if unit == time.Millisecond {
			x = int64(v.Int32())
		}
		if x < 0 || x > int64(day/unit) {
			return fmt.Errorf("time of day %d in units of %v", x, unit)
		}
		*(*time.Duration)(p) = time.Duration(x) * unit
		return nil
	}
}

// int96Setter takes a timestamp of old writers: nanoseconds of the day, and the
// Julian day.
func int96Setter(t reflect.Type) setFunc {
	if t != timeType {
		return nil
	}
	const epoch = 2440588 // the Julian day of 1970-01-01
	return func(v *parquet.Value, p unsafe.Pointer) error {
		x := v.Int96()
		nanos, days := int64(uint64(x[1])<<32|uint64(x[0])), int64(int32(x[2]))
		*(*time.Time)(p) = time.Unix((days-epoch)*int64(day/time.Second), nanos).UTC()
		if nanos < 0 || nanos >= int64(day) {
			return fmt.Errorf("%d ns of Julian day %d: a day has fewer", nanos, days)
		}
		return nil
	}
}

// decimalSetter takes decimals into a string, or whole ones into an integer.
func decimalSetter(t reflect.Type, physical format.Type, d *format.DecimalType) setFunc {
	if t.Kind() == reflect.String {
		return func(v *parquet.Value, p unsafe.Pointer) error {
			var x big.Int
			switch physical {
			case format.Int32:
				x.SetInt64(int64(v.Int32()))
			case format.Int64:
				x.SetInt64(v.Int64())
			default: // two's complement, most significant byte first
				b := v.ByteArray()
				x.SetBytes(b)
				if len(b) > 0 && b[0] >= 0x80 {
					x.Sub(&x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
				}
			}
			*(*string)(p) = decimalText(&x, int(d.Scale))
			return nil
		}
	}
	if d.Scale != 0 {
		return nil
	}
	switch physical {
	case format.Int32:
		return integerSetter(t, physical, 32, true)
	case format.Int64:
		return integerSetter(t, physical, 64, true)
	}
	return nil
}

func decimalText(x *big.Int, scale int) string {
	s := new(big.Int).Abs(x).String()
	if scale > 0 {
		if len(s) <= scale {
			s = strings.Repeat("0", scale+1-len(s)) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if x.Sign() < 0 {
		s = "-" + s
	}
	return s
}
