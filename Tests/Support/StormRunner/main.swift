import Glibc
import Storm

// The storm alone, for builds with mutants and for whoever works on it: the options of
// `shrivenquant storm`.
StormProgram.fixHashing(CommandLine.arguments)
exit(
  StormProgram.main(Array(CommandLine.arguments.dropFirst())) { line in
    let bytes = Array((line + "\n").utf8)
    _ = write(1, bytes, bytes.count)
  })
