package nexmark

import (
	"encoding/json"
	"strconv"
)

// Person is somebody who registers, to sell and to bid.
type Person struct {
	N            int64  `json:"n"`
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	EmailAddress string `json:"emailAddress"`
	CreditCard   string `json:"creditCard"`
	City         string `json:"city"`
	State        string `json:"state"`
	DateTime     int64  `json:"dateTime"` // ms since 1970
	Extra        string `json:"extra"`
}

// Auction is an item that comes up for sale.
type Auction struct {
	N           int64  `json:"n"`
	ID          int64  `json:"id"`
	ItemName    string `json:"itemName"`
	Description string `json:"description"`
	InitialBid  int64  `json:"initialBid"` // cents
	Reserve     int64  `json:"reserve"`    // cents
	DateTime    int64  `json:"dateTime"`   // ms since 1970
	Expires     int64  `json:"expires"`    // ms since 1970
	Seller      int64  `json:"seller"`
	Category    int64  `json:"category"`
	Extra       string `json:"extra"`
}

// Bid is a bid on an auction. Its URL and Extra share one allocation.
type Bid struct {
	N        int64  `json:"n"`
	Auction  int64  `json:"auction"`
	Bidder   int64  `json:"bidder"`
	Price    int64  `json:"price"` // cents
	Channel  string `json:"channel"`
	URL      string `json:"url"`
	DateTime int64  `json:"dateTime"` // ms since 1970
	Extra    string `json:"extra"`
}

// Price is a bid without its text, for queries that do not read it.
type Price struct {
	Auction  int64
	Price    int64 // cents
	DateTime int64 // ms since 1970
}

// Event is a person, an auction or a bid. Where neither Person nor Auction is
// set, it is Bid; never are both.
type Event struct {
	Person  *Person
	Auction *Auction
	Bid     Bid
}

// N is the number of the event.
func (e Event) N() int64 {
	switch {
	case e.Person != nil:
		return e.Person.N
	case e.Auction != nil:
		return e.Auction.N
	}
	return e.Bid.N
}

// MarshalJSON renders the event as a flat object that names its type.
func (e Event) MarshalJSON() ([]byte, error) {
	kind, v := "bid", any(e.Bid)
	if e.Person != nil {
		kind, v = "person", e.Person
	} else if e.Auction != nil {
		kind, v = "auction", e.Auction
	}
	fields, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	n := strconv.AppendInt([]byte(`{"n":`), e.N(), 10)
	rest := fields[len(n):]
	b := append(n, `,"type":"`...)
	b = append(b, kind...)
	b = append(b, '"')
	return append(b, rest...), nil
}
