// The C face of shim.cc. Handles are those of rocksdb/c.h. A function that can
// fail returns NULL, or a message that the caller frees.
#pragma once
#include <rocksdb/c.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Has a cache of so many bytes take memory for blocks from a store of its own,
// which keeps up to a sixteenth of them free, instead of malloc.
void tm_use_blocks(rocksdb_lru_cache_options_t*, size_t bytes);

// Has databases sync nothing and record no options (files.cc).
void tm_use_files(rocksdb_options_t*);

// The write-buffer budget of several databases, charged to a cache.
typedef struct tm_budget tm_budget;
tm_budget* tm_budget_new(size_t bytes, rocksdb_cache_t* charged);
size_t tm_budget_usage(const tm_budget*);
void tm_budget_free(tm_budget*);

// Charges to the cache what else grows with files and keys: readers of files,
// and filters that are being made.
void tm_charge(rocksdb_block_based_table_options_t*);

// Settings that rocksdb/c.h does not reach.
void tm_configure(rocksdb_options_t*, const tm_budget*);

// Sets what a text says, "name=value;name={name=value;name=value}", or nothing
// where it fails.
char* tm_override(rocksdb_options_t*, const char* text, size_t len);

// Has compactions drop values that have expired: they begin with header, and
// then their expiry, in Unix milliseconds, signed, big-endian. The time is what
// tm_expiry_tell was told last, by any thread. It outlives the databases that
// are opened with the options.
typedef struct tm_expiry tm_expiry;
tm_expiry* tm_expiry_new(uint8_t header);
// No file gets much older than rewrite_seconds before it is compacted.
void tm_expiry_attach(const tm_expiry*, rocksdb_options_t*, uint64_t rewrite_seconds);
void tm_expiry_tell(tm_expiry*, int64_t now_unix_millis);
int64_t tm_expiry_dropped(const tm_expiry*);
void tm_expiry_free(tm_expiry*);

// Copies the value of key to buf where it fits in cap bytes. *length is that of
// the value, or -1 where there is none.
char* tm_get(rocksdb_t*, rocksdb_column_family_handle_t*, const char* key, size_t key_len,
             char* buf, size_t cap, int64_t* length);

// Copies the values of n keys, in ascending order: each key behind its length in
// keys, each value behind its length in buf, native uint32. TM_DELETED as the
// length of a value says that there is none. *done says how many fitted, and *need
// how many bytes the next one takes with its length; 0: it was not read.
char* tm_multi_get(rocksdb_t*, rocksdb_column_family_handle_t*, const char* keys, size_t n,
                   char* buf, size_t cap, size_t* done, size_t* need);

// Entries travel in a buffer, one after another: two native uint32 lengths, of
// key and value, then key and value. TM_DELETED as the second length says that
// the key is deleted.
#define TM_DELETED UINT32_MAX

// Writes entries, in any order, to the column's write buffer.
char* tm_write(rocksdb_t*, rocksdb_column_family_handle_t*, const char* entries, size_t len);

// tm_await_flushes waits, for 10 s at most, until RocksDB flushes nothing. RocksDB up to 7.8
// notes the reason of a flush by column: a second flush of all columns changes it while the
// first one runs, which a build with assertions takes for a bug and aborts. Nobody writes
// meanwhile, so no flush begins.
void tm_await_flushes(rocksdb_t*);

// A file of entries in ascending order. Once finished it becomes a part of the column as
// a whole, and path is removed.
typedef struct tm_file tm_file;
char* tm_file_new(const rocksdb_options_t*, rocksdb_column_family_handle_t*, const char* path, tm_file** out);
char* tm_file_add(tm_file*, const char* entries, size_t len);
char* tm_file_finish(tm_file*, int64_t* bytes);
char* tm_file_ingest(rocksdb_t*, rocksdb_column_family_handle_t*, const char* path);
void tm_file_free(tm_file*);

// How a column merges sorted runs.
typedef struct {
  int from;     // once there are so many
  int widest;   // at most so many at once, except where all are merged
  int percent;  // all, once the newer ones have so many percent of the oldest
} tm_merging;
tm_merging tm_merging_of(const rocksdb_options_t*);
// What the files of a column hold, and how it merges them.
typedef struct {
  int64_t runs, largest_run;   // largest_run: its bytes
  int64_t entries, deletions;  // entries are without deletions; older versions count
  int64_t entry_bytes;         // of an entry, in the file where these are largest on average
  tm_merging merging;
} tm_column;
tm_column tm_column_now(rocksdb_t*, rocksdb_column_family_handle_t*);
// Of a sample of the file's keys, how many the column has already, from 0 to 1.
char* tm_file_overwrites(const tm_file*, rocksdb_t*, rocksdb_column_family_handle_t*, double* share);

// An iterator over [start, end) of what the column held when it was made. The block
// cache keeps what it reads if cached.
typedef struct tm_scan tm_scan;
tm_scan* tm_scan_new(rocksdb_t*, rocksdb_column_family_handle_t*, const char* start, size_t start_len,
                     const char* end, size_t end_len, int has_end, int cached);
// Moves to the first entry from key on.
void tm_scan_seek(tm_scan*, const char* key, size_t key_len);
// Copies entries to buf, and says in *used how many bytes it wrote and in *need
// how many bytes the next entry takes that did not fit; need is 0 at the end.
char* tm_scan_fill(tm_scan*, char* buf, size_t cap, size_t* used, size_t* need);
void tm_scan_free(tm_scan*);

// Describes the table files of the database. For each: uint32 lengths of name,
// column, smallest and largest key; uint64 level, smallest and largest sequence
// number, time of creation, entries, deletions, epoch; then the four texts. Numbers
// are native. The caller frees what is returned.
char* tm_tables(rocksdb_t*, size_t* len);

// Keeps the memory that is freed from staying with the process: blocks of a
// cache come and go, in many threads.
void tm_bound_malloc(void);

// 1: the library was built with its assertions, and is slower for it.
int tm_has_assertions(void);
// The library's version, and that of the headers that the shim was compiled with.
// The caller frees them.
char* tm_version(void);
char* tm_compiled_version(void);

#ifdef __cplusplus
}
#endif
