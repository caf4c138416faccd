package rocks

// What WorkingBytes assumes.
const (
	// 1/idlePart of the cache is memory of dropped blocks that is kept for new ones
	// (blocks.cc).
	idlePart = 16
	// fileBuffers is the memory that writing a file takes, with what C's allocator
	// keeps of it, in bytes.
	fileBuffers = 2 * mebibyte
)

// WorkingBytes returns how much native memory that many databases together may take
// beside MemoryBytes and TableBytes: free blocks of the cache, the read-ahead of
// compactions, and buffers of the files that compactions and flushes write.
func (o Options) WorkingBytes(databases int) int64 {
	o = o.WithDefaults()
	disk := disks[o.Disk]
	compactions := int64(max(1, o.BackgroundThreads-max(1, o.BackgroundThreads/4))) // of all databases; the rest flush
	return o.MemoryBytes/idlePart + compactions*(disk.mergeBytes()+fileBuffers) + int64(databases)*fileBuffers
}
