package parquet

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// cursor walks the values of a column chunk.
type cursor struct {
	name   string
	flat   bool // one value a row
	chunk  *chunk
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader // of page; nil: all are read
	buf    [bufferedValues]parquet.Value
	have   int // values in buf
	at     int // the next one
	keep   bool
	kept   []parquet.Value // of the current record
}

const bufferedValues = 256

// peek returns the next value, which is valid until the next call; nil: the
// column has ended.
func (c *cursor) peek() (v *parquet.Value, err error) {
	if c.at == c.have {
		if err := guard(c.fill); err == io.EOF {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	return &c.buf[c.at], nil
}

// fill reads at least one value, or fails.
func (c *cursor) fill() (err error) {
	for c.have, c.at = 0, 0; c.have == 0; {
		if c.values == nil {
			parquet.Release(c.page)
			if c.page, err = c.pages.ReadPage(); err != nil {
				return err
			}
			c.values = c.page.Values()
		}
		c.have, err = c.values.ReadValues(c.buf[:])
		switch {
		case err == io.EOF || err == nil && c.have == 0:
			c.values = nil
			if c.have > 0 {
				return nil
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// take returns the next value and steps over it.
func (c *cursor) take() (*parquet.Value, error) {
	v, err := c.peek()
	if err == nil && v == nil {
		err = fmt.Errorf("column %q ends before its row group: %w", c.name, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}
	c.at++
	if c.keep {
		c.kept = append(c.kept, v.Clone())
	}
	return v, nil
}

// skipRows steps over the first rows of the chunk.
func (c *cursor) skipRows(rows int64) error {
	if c.flat && rows > 0 {
		c.chunk.skip = rows
		if _, err := c.peek(); err != nil {
			return err
		}
		rows -= c.chunk.skipped
	}
	for ; rows > 0; rows-- {
		if _, err := c.take(); err != nil {
			return err
		}
		for !c.flat {
			v, err := c.peek()
			if err != nil {
				return err
			}
			if v == nil || v.RepetitionLevel() == 0 {
				break
			}
			c.at++
		}
	}
	return nil
}

func (c *cursor) close() error {
	parquet.Release(c.page)
	c.page = nil
	return c.pages.Close()
}
