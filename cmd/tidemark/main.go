// Command tidemark runs the built-in jobs and inspects checkpoints.
package main

import tidemarkcmd "github.com/tidemark/tidemark/cmd"

func main() { tidemarkcmd.Main(nil) }
