import ArgumentParser
struct Verify: ParsableCommand { mutating func run() throws { throw ValidationError("verify is not built yet") } }
