// Command tidemark runs the built-in jobs, inspects checkpoints, and measures.
package main

import tidemarkcmd "github.com/tidemark/tidemark/cmd"

func main() { tidemarkcmd.Main(nil, benchCommand()) }
