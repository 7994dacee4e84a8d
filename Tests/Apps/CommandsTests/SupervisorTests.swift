import Glibc
import Loop
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Commands

@Suite struct `Supervision` {
  /// A shell script as a child, and what the supervisor says of it.
  final class Scene: Sendable {
    let folder: TemporaryFolder
    private let lines = Mutex<[String]>([])

    init() throws { folder = try TemporaryFolder() }

    var said: [String] { lines.withLock { $0 } }

    func supervisor(_ loop: EventLoop) -> Supervisor {
      Supervisor(loop, program: "/bin/sh") { line in self.lines.withLock { $0.append(line) } }
    }

    func plan(_ name: String, _ script: String) -> ChildPlan {
      ChildPlan(
        name: name, words: ["-c", script], environment: ["PATH": "/usr/bin:/bin", "MARK": "here"],
        log: folder.path + "/\(name).log")
    }

    var log: String { (try? readText(folder.path + "/child.log")) ?? "" }
  }

  @Test func `a child that dies is started again, and its output is in its log`() async throws {
    try await withLoop { loop in
      let scene = try Scene()
      let supervisor = scene.supervisor(loop)

      supervisor.start(scene.plan("child", "echo $MARK; exit 3"))
      let again = await eventually {
        supervisor.reap()
        return scene.log == "here\nhere\n"
      }
      await supervisor.stop(["child"], patience: .seconds(2))

      #expect(again)
      #expect(scene.said.first?.contains("ended with code 3; starting it again in 0.1 s") == true)
      #expect(supervisor.processes.isEmpty)
    }
  }

  @Test func `a child that ignores SIGTERM is killed`() async throws {
    try await withLoop { loop in
      let scene = try Scene()
      let supervisor = scene.supervisor(loop)

      let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
      supervisor.start(scene.plan("child", script))
      #expect(await eventually { scene.log == "ready\n" })
      await supervisor.stop(["child"], patience: .milliseconds(100))

      #expect(scene.said.contains { $0.contains("did not stop within 0.1 s: killed") })
      #expect(supervisor.processes.isEmpty)
    }
  }

  @Test func `the end by a signal is told from an exit`() async throws {
    try await withLoop { loop in
      let scene = try Scene()
      let pid = try ChildProcess.start(scene.plan("child", "kill -9 $$"), program: "/bin/sh")
      var ending: ChildProcess.Ending?

      #expect(
        await eventually {
          ending = ending ?? ChildProcess.ending(of: pid)
          return ending != nil
        })
      #expect(ending == .signal(9))
    }
  }

  @Test func `a state folder has one supervisor`() throws {
    let state = StateFolder(try TemporaryFolder().path + "/var")
    #expect(!StateLock.isHeld(state))

    let lock = try StateLock(state)

    #expect(StateLock.isHeld(state))
    let second = try StateLock(state) == nil
    #expect(second)
    _ = consume lock
    #expect(!StateLock.isHeld(state))
  }
}
