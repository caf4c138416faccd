package nexmark

const golden = 0x9E3779B97F4A7C15

// mix is the finaliser of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// random is the stream of draws of one event.
type random uint64

func newRandom(seed uint64, n int64) random {
	return random(seed*golden + mix(uint64(n)))
}

func (r *random) next() uint64 {
	*r += golden
	return mix(uint64(*r))
}

// below draws a number in [0, b).
func (r *random) below(b int64) int64 { return int64(r.next() >> 1 % uint64(b)) }

// price draws a price in cents, uniform in each of six decades.
func (r *random) price() int64 {
	p := int64(100)
	for range r.below(6) {
		p *= 10
	}
	return p + r.below(9*p)
}

// lettersPerDraw is how many letters one draw gives.
const lettersPerDraw = 12

// pairs holds every pair of letters, the first one changing fastest: a draw is
// taken apart two letters at a time.
var pairs = func() (p [26 * 26][2]byte) {
	for i := range p {
		p[i] = [2]byte{'a' + byte(i%26), 'a' + byte(i/26)}
	}
	return p
}()

// letters draws letters until dst is full.
func (r *random) letters(dst []byte) {
	for len(dst) > 0 {
		v := r.next() >> 1
		n := min(len(dst), lettersPerDraw)
		for i := 0; i < n; i += 2 {
			p := pairs[v%(26*26)]
			v /= 26 * 26
			dst[i] = p[0]
			if i+1 < n {
				dst[i+1] = p[1]
			}
		}
		dst = dst[n:]
	}
}

// appendLetters draws n letters and appends them to dst.
func (r *random) appendLetters(dst []byte, n int64) []byte {
	l := len(dst)
	for range n {
		dst = append(dst, 0)
	}
	r.letters(dst[l:])
	return dst
}
