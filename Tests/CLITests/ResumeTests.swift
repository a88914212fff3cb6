import Foundation
import TestSupport
import Testing

/// An interrupted sweep and its resume together give the bytes of an uninterrupted sweep.
struct ResumeTests {
    let folder: TemporaryFolder
    /// A sweep of the demo in about a dozen waves
    let long = ["--site", "resid_mid", "--tokens", "cls,patches", "--limit", "120", "--memory", "8M"]

    init() throws { folder = try TemporaryFolder() }

    @Test func aCorruptImageInTheMiddle() throws {
        let data = try folder.images(count: 4), model = try folder.model()
        let options = ["--model", model, "--data", data, "--site", "resid_pre", "--tokens", "each", "--memory", "600k"]
        let whole = try sweep(options, out: folder("whole"))
        let name = "data/cedar/2.png", good = try Data(contentsOf: URL(fileURLWithPath: folder(name)))
        try folder.write(name, good.prefix(100))
        try expectFailure(["sweep", "--out", folder("out")] + options, naming: [folder(name), "cannot be decoded"])
        // All images before the failed wave are kept, each with all of its rows.
        let before = try export(folder("out"))
        let table = try Table(before)
        #expect(whole.hasPrefix(before) && table.rows.count % 30 == 0 && (1...12 * 30).contains(table.rows.count))
        let resume = ["sweep", "--resume", "--out", folder("out")] + options
        try folder.write(name, good)
        let result = try runVitpatch(resume)
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("\(table.rows.count / 30) of 20 images are done already."))
        #expect(try export(folder("out")) == whole)
    }

    /// A resume with other images is refused.
    @Test func otherDataIsRefused() throws {
        let data = try folder.images(count: 2), model = try folder.model()
        let options = ["--model", model, "--out", folder("out")]
        #expect(try runVitpatch(["sweep", "--data", data] + options).code == 0)
        let more = try folder.images("more", count: 3)
        try expectFailure(["sweep", "--data", more, "--resume"] + options, naming: ["data is"])
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func controlC(_ signal: Int32) throws {
        let whole = try sweep(long, out: folder("whole"))
        let out = folder("it's here")
        let program = try RunningProgram(vitpatch, ["sweep", "--out", out] + long)
        try waitForAWave(in: out, of: program)
        program.send(signal)
        let result = try program.wait()
        #expect(result.code == 130 && result.output == "", "\(result.errors)")
        let lines = result.errors.split(separator: "\n")
        #expect(lines.first?.hasPrefix("Interrupted; ") == true)
        let done = try Table(try export(out))
        #expect(lines.first?.contains(" \(Set(done["image"]).count) of 120 images ") == true, "\(result.errors)")
        #expect((1..<120).contains(Set(done["image"]).count))
        // The printed resume command, run through a shell.
        let resumed = try run(shell, ["-c", String(try #require(lines.last))])
        #expect(resumed.code == 0, "\(resumed.errors)")
        #expect(try export(out) == whole)
    }

    /// Also in the middle of an image, whose patches take several waves here.
    @Test func killed() throws {
        let long = ["--site", "resid_mid", "--tokens", "each", "--layers", "0", "--limit", "16", "--memory", "3M"]
        let whole = try sweep(long, out: folder("whole"))
        for attempt in 0..<2 {
            let out = folder("\(attempt)")
            let program = try RunningProgram(vitpatch, ["sweep", "--out", out] + long)
            try waitForAWave(in: out, of: program)
            let delay = UInt32.random(in: 0...300)
            usleep(delay * 1000)
            program.send(SIGKILL)
            #expect([SIGKILL, 0].contains(try program.wait().code))
            #expect(whole.hasPrefix(try export(out)), "killed \(delay) ms after the first wave")
            let result = try runVitpatch(["sweep", "--out", out, "--resume"] + long)
            #expect(result.code == 0, "\(result.errors)")
            #expect(try export(out) == whole, "killed \(delay) ms after the first wave")
        }
    }
}
