import Commands

#if canImport(Glibc)
  import Glibc
#endif

exit(ShrivenQuant.main(CommandLine.arguments))
