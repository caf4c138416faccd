// Package metrics answers: what does a running job tell Prometheus?
//
// Handler serves a job's metrics. Checkpoints have the names that Flink's reporter for
// Prometheus gives them, so that dashboards written for Flink work. All else has the
// prefix tidemark_ and Prometheus's own conventions. dashboard.json is for Grafana,
// alerts.yml for Prometheus.
//
// Invariants
//
//   - What is exported was measured. A figure that is not known is left out.
//   - A scrape sends no request to the store, and asks RocksDB's databases at most every
//     NativeEvery, however many scrape. Records never wait for it.
//   - There are as many series as the job has subtasks and kinds of things, whatever it
//     processes (I12).
package metrics
