package rocks

import "fmt"

// Disk is a kind of disk. The zero value is SSD.
type Disk string

// The kinds of disk.
const (
	SSD     Disk = "ssd"     // local, without moving parts
	HDD     Disk = "hdd"     // spinning: one thread reads and writes large pieces
	Network Disk = "network" // a volume behind a network: high latency
)

// disks is what is set for each kind.
var disks = map[Disk]struct {
	blockBytes        int    // read at once by a Get
	readaheadBytes    uint64 // read at once by a compaction, of each run
	syncBytes         uint64
	backgroundThreads int
}{
	SSD:     {blockBytes: 8 << 10, readaheadBytes: mebibyte / 4, syncBytes: mebibyte, backgroundThreads: 2},
	HDD:     {blockBytes: 64 << 10, readaheadBytes: 2 * mebibyte, syncBytes: 8 * mebibyte, backgroundThreads: 1},
	Network: {blockBytes: 16 << 10, readaheadBytes: mebibyte, syncBytes: 4 * mebibyte, backgroundThreads: 4},
}

// ParseDisk returns the kind of that name.
func ParseDisk(name string) (Disk, error) {
	if _, ok := disks[Disk(name)]; !ok {
		return "", fmt.Errorf("unknown kind of disk %q: use %s, %s or %s", name, SSD, HDD, Network)
	}
	return Disk(name), nil
}
