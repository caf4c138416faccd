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

// diskSettings is what is set for a kind of disk.
type diskSettings struct {
	blockBytes        int    // read at once by a Get
	readaheadBytes    uint64 // read at once by a compaction, of each run
	syncBytes         uint64
	backgroundThreads int
}

// runBytes is how much memory a compaction takes for each run, if entries have that size:
// for what is read ahead, up to the end of a block, and for a block. A block has at least
// one entry.
func (d diskSettings) runBytes(entryBytes int64) int64 {
	return int64(d.readaheadBytes) + 2*max(int64(d.blockBytes), entryBytes)
}

// mergeBytes is how much memory a compaction takes for its runs: the most of them, or
// fewer whose entries have largeEntryBytes.
func (d diskSettings) mergeBytes() int64 {
	return max(int64(widestOf(sortedRuns))*d.runBytes(0), int64(widestOf(smallRuns))*d.runBytes(largeEntryBytes))
}

// largeEntryBytes is the size of entries up to which memory is bounded by what
// WorkingBytes returns.
const largeEntryBytes = mebibyte

// disks has the settings of each kind.
var disks = map[Disk]diskSettings{
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
