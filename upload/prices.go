package upload

import (
	"fmt"
	"strconv"
	"strings"
)

// Prices are what a store charges, in dollars.
type Prices struct {
	Storage float64 // a GiB and month
	Put     float64 // a thousand PUT, COPY or LIST requests
	Get     float64 // a thousand others; deleting is free
}

// S3Prices are the list prices of S3 Standard in us-east-1.
var S3Prices = Prices{Storage: 0.023, Put: 0.005, Get: 0.0004}

func (p *Prices) fields() map[string]*float64 {
	return map[string]*float64{"storage": &p.Storage, "put": &p.Put, "get": &p.Get}
}

// String implements flag.Value, as Set and Type do.
func (p *Prices) String() string {
	return fmt.Sprintf("storage=%v,put=%v,get=%v", p.Storage, p.Put, p.Get)
}

// Type names what Set reads.
func (p *Prices) Type() string { return "prices" }

// Set changes the prices that s names. Prices that s does not name stay as they are.
func (p *Prices) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		name, text, _ := strings.Cut(part, "=")
		to := p.fields()[strings.TrimSpace(name)]
		price, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if to == nil || err != nil || !(price >= 0 && price < 1e6) {
			return fmt.Errorf("%q is not a price: write them as %v", part, &S3Prices)
		}
		*to = price
	}
	return nil
}

// Month returns what it costs to store bytes for a month.
func (p *Prices) Month(bytes int64) float64 { return float64(bytes) / (1 << 30) * p.Storage }

// Requests returns what requests cost: puts includes listings.
func (p *Prices) Requests(puts, gets int64) float64 {
	return float64(puts)/1000*p.Put + float64(gets)/1000*p.Get
}
