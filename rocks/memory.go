package rocks

// What WorkingBytes takes for granted.
const (
	// idlePart of the cache, one part in so many, is memory of blocks that is
	// kept for others (blocks.cc).
	idlePart = 16
	// fileBuffers is what a file takes that is being written, and what C's
	// allocator keeps.
	fileBuffers = 2 * mebibyte
)

// WorkingBytes is how much native memory so many databases may take beside
// MemoryBytes and TableBytes: free blocks of the cache, what compactions read
// ahead of each run, and buffers of the files that they and checkpoints write.
// Pure.
func (o Options) WorkingBytes(databases int) int64 {
	o = o.WithDefaults()
	disk := disks[o.Disk]
	compactions := int64(max(1, o.BackgroundThreads-max(1, o.BackgroundThreads/4))) // of all databases; the rest flush
	ahead := sortedRuns * (int64(disk.readaheadBytes) + int64(disk.blockBytes))
	return o.MemoryBytes/idlePart + compactions*(ahead+fileBuffers) + int64(databases)*fileBuffers
}
