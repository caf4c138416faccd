// Package api answers: how is a running job asked and told over HTTP?
//
// A Server serves one job, in the shapes of Flink's REST API, so that scripts written
// for Flink work. What Flink does not have is in an object "tidemark" beside Flink's
// fields, or under a path of its own. openapi.json describes all of it, and Client
// speaks it from Go.
//
// Whoever writes to a job needs a scope. Tokens from a file carry scopes. Without a
// file a server on a loopback address lets everybody read and operate, since only this
// machine reaches it.
//
// Invariants
//
//   - An answer is made of what the process has in memory, or of the job's store. It
//     never waits for records, and records never wait for it.
//   - Memory and files are bounded: connections, bodies, headers, requests at once, and
//     remembered triggers (I12).
//   - A store that does not answer takes few requests, and each only for a while.
//   - How the job ends does not depend on requests under way.
//   - A path that names no scope needs the scope admin.
//   - A page of another site can neither write to a job nor, by a name that it makes
//     point here, read from it.
//   - A trigger with a request id has one effect, however often it is sent, as long as
//     the server remembers it (I6).
//   - Every write is logged with who sent it and what came of it. Of those that are
//     refused, the first hundred are, and then one a second.
package api
