package nexmark

import "strconv"

var (
	firstNames  = [...]string{"Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "Jim", "Ken", "Leslie", "Radia", "Tony"}
	lastNames   = [...]string{"Allen", "Dijkstra", "Gray", "Hoare", "Hopper", "Lamport", "Liskov", "Lovelace", "Perlman", "Thompson", "Turing"}
	cities      = [...]string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	states      = [...]string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	hotChannels = [...]string{"Google", "Facebook", "Baidu", "Apple"}
)

const (
	firstID        = 1000 // of persons and of auctions
	channels       = 10_000
	activePeople   = 1000
	activeAuctions = 100
	idLead         = 10 // ids may be drawn this many before their event
	urlStart       = "https://auctions.example/"
	urlEnd         = "/item.htm?query=1"
	urlChannel     = "&channel_id="
)

// channelNames are made once, so that a bid's channel allocates nothing.
var channelNames = func() (c [channels]string) {
	for i := range c {
		c[i] = "channel-" + strconv.Itoa(i)
	}
	return c
}()

func (o Options) person(n int64, p *Person) {
	r := newRandom(o.Seed, n)
	p.N, p.ID, p.DateTime = n, firstID+n/perEpoch, o.timeMillis(n)
	first := firstNames[r.below(int64(len(firstNames)))]
	p.Name = first + " " + lastNames[r.below(int64(len(lastNames)))]
	b := make([]byte, 0, 32)
	b = r.appendLetters(b, 7)
	b = append(b, '@')
	b = r.appendLetters(b, 5)
	p.EmailAddress = string(append(b, ".com"...))
	b = b[:0]
	for i := range 4 {
		if i > 0 {
			b = append(b, ' ')
		}
		for v, digit := r.below(10_000), int64(1000); digit > 0; digit /= 10 {
			b = append(b, '0'+byte(v/digit%10))
		}
	}
	p.CreditCard = string(b)
	p.City = cities[r.below(int64(len(cities)))]
	p.State = states[r.below(int64(len(states)))]
	p.Extra = string(r.appendLetters(nil, 80+r.below(41)))
}

func (o Options) auction(n int64, a *Auction) {
	r := newRandom(o.Seed, n)
	e := n / perEpoch
	a.N, a.ID, a.DateTime = n, firstID+3*e+n%perEpoch-firstAuction, o.timeMillis(n)
	a.ItemName = string(r.appendLetters(nil, 20))
	a.Description = string(r.appendLetters(nil, 100))
	a.InitialBid = r.price()
	a.Reserve = a.InitialBid + r.price()
	horizon := max(1, 1666*1000/o.RatePerSecond)
	a.Expires = a.DateTime + 1 + r.below(2*horizon)
	a.Seller = r.hotPerson(e, 0)
	a.Category = 10 + r.below(5)
	a.Extra = string(r.appendLetters(nil, 200+r.below(101)))
}

// hotPerson draws the seller or bidder of an event of epoch e: in three of
// four cases a hot one, which is hot-th of its hundred.
func (r *random) hotPerson(e, hot int64) int64 {
	if r.below(4) != 0 {
		return firstID + e/100*100 + hot
	}
	active := min(e+1, activePeople)
	return firstID + e + 1 - active + r.below(active+idLead)
}

// bidPrice draws the fields of bid n that are not text.
func (o Options) bidPrice(n int64) (r random, auction, bidder, price int64) {
	r = newRandom(o.Seed, n)
	e := n / perEpoch
	last := 3*e + 2
	if r.below(2) == 0 {
		auction = firstID + last/100*100
	} else {
		lo := max(0, last-activeAuctions)
		auction = firstID + lo + r.below(last+idLead-lo+1)
	}
	bidder = r.hotPerson(e, 1)
	price = r.price()
	return r, auction, bidder, price
}

func (o Options) bid(n int64, b *Bid) {
	r, auction, bidder, price := o.bidPrice(n)
	b.N, b.Auction, b.Bidder, b.Price, b.DateTime = n, auction, bidder, price, o.timeMillis(n)

	var buf [128]byte
	text := append(buf[:0], urlStart...)
	c := r.below(2 * channels)
	text = text[:len(text)+15]
	r.letters(text[len(text)-15:])
	text = append(text, urlEnd...)
	if c < channels {
		b.Channel = hotChannels[c%int64(len(hotChannels))]
	} else {
		b.Channel = channelNames[c-channels]
	}
	if c >= channels+1000 {
		text = append(text, urlChannel...)
		text = strconv.AppendInt(text, c-channels, 10)
	}
	url := len(text)
	extra := int(24 + r.below(17))
	text = text[:url+extra]
	r.letters(text[url:])
	s := string(text)
	b.URL, b.Extra = s[:url], s[url:]
}

func (o Options) event(n int64, e *Event) {
	*e = Event{}
	switch m := n % perEpoch; {
	case m < firstAuction:
		e.Person = new(Person)
		o.person(n, e.Person)
	case m < firstBid:
		e.Auction = new(Auction)
		o.auction(n, e.Auction)
	default:
		o.bid(n, &e.Bid)
	}
}

func (o Options) countKey(n int64) uint64 {
	r := newRandom(o.Seed, n)
	return mix(uint64(r.below(o.Keys)))
}

func (o Options) hotCountKey(n int64) uint64 {
	r := newRandom(o.Seed, n)
	keys := o.Keys
	if r.below(10) != 0 {
		keys = max(1, keys/10)
	}
	return mix(uint64(r.below(keys)))
}
