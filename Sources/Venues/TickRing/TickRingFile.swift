/// The ring of ticks in the folder of a mesh that is for running processes.
package enum TickRingFile {
  package static let name = "ticks.ring"
}
