import CLRuntime
import COpenCL
import Testing

struct KernelTests {
    @Test func runsAndCountsExactly() throws {
        let context = try context()
        #expect(context.counters == Counters())
        let kernel = try scaleKernel(context)
        let input = try Buffer<Float>(context, [1, 2, 3]), out = try Buffer<Float>(context, count: 3)
        for number in [4, 5] as [Int32] {
            try kernel.launch(global: [3], ["in": input, "scale": 2 as Float, "number": number, "out": out])
        }
        try input.write([9], at: 1)
        try kernel.launch(global: [0], ["in": input, "scale": 2 as Float, "number": 0 as Int32, "out": out])
        #expect(try out.read() == [7, 9, 11])
        #expect(try out.read(1..<2) == [9])
        _ = try out.read(1..<1)
        var wanted = Counters()
        (wanted.compiled, wanted.launches) = (1, 2)
        (wanted.uploads, wanted.uploadedBytes) = (2, 16)
        (wanted.reads, wanted.readBytes) = (2, 16)
        #expect(context.counters == wanted)
    }

    @Test func argumentsAreCheckedByNameAndNumber() throws {
        let context = try context()
        let kernel = try scaleKernel(context)
        let buffer = try Buffer<Float>(context, [1])
        let launches = context.counters.launches
        func message(_ arguments: KeyValuePairs<String, any KernelArgument>) throws -> String {
            let error = #expect(throws: CLError.self) { try kernel.launch(global: [1], arguments) }
            return "\(try #require(error))"
        }
        let few = try message(["in": buffer, "scale": 1 as Float, "out": buffer])
        #expect(few.contains("scale") && few.contains("4 arguments") && few.contains("3"))
        let swapped = try message(["out": buffer, "scale": 1 as Float, "number": 1 as Int32, "in": buffer])
        #expect(swapped.contains("argument 0 to be in") && swapped.contains("out"))
        let misnamed = try message(["in": buffer, "scale": 1 as Float, "numbers": 1 as Int32, "out": buffer])
        #expect(misnamed.contains("argument 2 to be number") && misnamed.contains("numbers"))
        #expect(context.counters.launches == launches)
    }

    @Test func anIntIsCheckedAtLaunch() throws {
        let context = try context()
        let kernel = try scaleKernel(context), buffer = try Buffer<Float>(context, [3])
        func run(_ number: Int) throws {
            try kernel.launch(global: [1], ["in": buffer, "scale": 2 as Float, "number": number, "out": buffer])
        }
        try run(-1)
        #expect(try buffer.read() == [5])
        let launches = context.counters.launches
        for number in [1 << 31, -(1 << 31) - 1] {
            let error = #expect(throws: CLError.self) { try run(number) }
            #expect("\(try #require(error))" == "scale needs number below 2^31, but got \(number)")
        }
        #expect(context.counters.launches == launches)
    }

    /// NVIDIA allows 65,535 groups in the second and third dimension.
    @Test func manyGroupsAreSeveralLaunches() throws {
        let context = try context()
        let source = Array(
            """
            __kernel void visit(__global int *out, int rows) {
              out[(get_global_id(2) * rows + get_global_id(1)) * 2 + get_global_id(0)] += get_global_id(1) + 7 * get_global_id(2);
            }
            """.utf8)
        let kernel = try Kernel(try Program(context, name: "visit.cl", source: source), "visit")
        for (rows, planes, launches) in [(65_535, 2, 1), (65_536, 2, 2), (2, 140_000, 3)] {
            let out = try Buffer<Int32>(context, [Int32](repeating: 0, count: 2 * rows * planes))
            let before = context.counters.launches
            try kernel.launch(global: [2, rows, planes], local: [2, 1, 1], ["out": out, "rows": rows])
            #expect(context.counters.launches == before + launches)
            var wanted: [Int32] = []
            for plane in 0..<planes {
                for row in 0..<rows { wanted += [Int32](repeating: Int32(row + 7 * plane), count: 2) }
            }
            #expect(try out.read() == wanted)
        }
    }

    @Test func groupsThatAreTooLargeAreRefused() throws {
        let context = try context()
        let kernel = try scaleKernel(context), buffer = try Buffer<Float>(context, [3])
        let most = kernel.maxGroupSize
        #expect(most > 0 && most <= context.device.maxWorkGroupSize)
        let error = #expect(throws: CLError.self) {
            try kernel.launch(
                global: [2 * most], local: [2 * most],
                ["in": buffer, "scale": 2 as Float, "number": 1, "out": buffer])
        }
        #expect("\(try #require(error))".contains("at most \(most) work-items"))
    }

    @Test func anUnknownKernelIsNamed() throws {
        let program = try Program(try context(), name: "scale.cl", source: scaleSource)
        let error = #expect(throws: CLError.self) { try Kernel(program, "scales") }
        #expect("\(try #require(error))".contains("scales"))
    }

    @Test func profilingGivesTheTimeOfEveryCommand() throws {
        let context = try context(profiling: true)
        let kernel = try scaleKernel(context)
        context.stage("one")
        let buffer = try Buffer<Float>(context, [1])
        context.stage("two")
        try kernel.launch(global: [1], ["in": buffer, "scale": 1 as Float, "number": 1 as Int32, "out": buffer])
        let commands = try context.takeProfile()
        #expect(commands.map(\.name) == ["upload", "scale"])
        #expect(commands.map(\.stage) == ["one", "two"])
        #expect(commands.allSatisfy { $0.start <= $0.end })
        #expect(try context.takeProfile().isEmpty)
    }

    /// A library returns the event of its last command; the measured time starts with its first.
    @Test func profilingCoversAllOfALibraryCall() throws {
        let context = try context(profiling: true)
        let buffer = try Buffer<Float>(context, count: 1 << 20)
        try buffer.fill(1)
        let before = hostNanoseconds()
        let status = try context.enqueueLibrary("library") { queue, event in
            #expect(event != nil)
            var value: Float = 3
            guard (try? buffer.fill(2)) != nil else { return cl_int(-1) }
            return clEnqueueFillBuffer(queue.pointee, buffer.handle, &value, 4, 0, 4, 0, nil, event)
        }
        #expect(status == 0)
        let commands = try context.takeProfile()
        #expect(commands.map(\.name) == ["fill", "fill", "library"])
        #expect(commands[0].end <= commands[2].start && commands[2].start <= commands[1].start)
        #expect(commands[1].end < commands[2].end)
        // On the host's clock, within a tenth of a second.
        #expect(commands[2].end + 100_000_000 > before && commands[2].end < hostNanoseconds() + 100_000_000)
        #expect(try buffer.read(0..<2) == [3, 2])
        #expect(try Context(device: context.device, cache: nil).enqueueLibrary("none") { _, event in event == nil })
    }
}
