import CLRuntime
import Testing

struct BufferTests {
    @Test func whatIsWrittenIsRead() throws {
        let context = try context()
        let values = (0..<1031).map { _ in Float.random(in: -1e6...1e6) }
        #expect(try Buffer(context, values).read() == values)
        #expect(try Buffer<Int32>(context, [.min, -1, 0, .max]).read() == [.min, -1, 0, .max])
        #expect(try Buffer<UInt8>(context, [0, 127, 255]).read() == [0, 127, 255])
        #expect(try Buffer<Float>(context, []).read() == [])
    }

    @Test func partsAreWrittenAndRead() throws {
        let buffer = try Buffer<Int32>(try context(), [0, 1, 2, 3, 4])
        try buffer.write([10, 11], at: 2)
        #expect(try buffer.read() == [0, 1, 10, 11, 4])
        #expect(try buffer.read(1..<4) == [1, 10, 11])
        #expect(try buffer.read(5..<5) == [])
        try buffer.write([], at: 5)
    }

    @Test func fillKeepsEveryBit() throws {
        let buffer = try Buffer<Float>(try context(), count: 37)
        let poison = Float(bitPattern: 0x7fc0_1234)
        try buffer.fill(poison)
        #expect(try buffer.read().allSatisfy { $0.bitPattern == poison.bitPattern })
    }

    @Test func outOfRangeIsRefused() throws {
        let context = try context()
        let buffer = try Buffer<Float>(context, [1, 2, 3])
        let before = context.counters
        func expectShape(_ body: () throws -> Void) {
            let error = #expect(throws: CLError.self) { try body() }
            if case .shape = error {} else { Issue.record("\(String(describing: error))") }
        }
        expectShape { try buffer.write([1], at: 3) }
        expectShape { try buffer.write([1, 2, 3, 4]) }
        expectShape { try buffer.write([1], at: -1) }
        expectShape { try buffer.write([1], at: .max) }
        expectShape { _ = try buffer.read(2..<4) }
        expectShape { _ = try buffer.read(-1..<1) }
        #expect(context.counters == before)
        #expect(try buffer.read() == [1, 2, 3])
    }

    @Test(arguments: [Int.max, Int.max / 4, -1]) func tooMuchIsAnErrorThatSaysSo(_ count: Int) throws {
        let context = try context()
        let error = #expect(throws: CLError.self) { try Buffer<Float>(context, count: count) }
        #expect(error?.isOutOfMemory == true)
        #expect("\(try #require(error))".contains("\(count)"))
        #expect(context.allocatedBytes == 0)
    }

    @Test func moreThanOneBufferMayHold() throws {
        let context = try context()
        let count = context.device.maxAllocation / 4 + 1
        let error = #expect(throws: CLError.self) { try Buffer<Float>(context, count: count) }
        #expect(error?.isOutOfMemory == true)
    }

    @Test func memoryIsReleasedWithItsOwner() throws {
        let context = try context()
        do {
            let a = try Buffer<Float>(context, count: 100)
            do {
                let b = try Buffer<UInt8>(context, count: 50)
                #expect(context.allocatedBytes == 450)
                withExtendedLifetime(b) {}
            }
            #expect(context.allocatedBytes == 400)
            withExtendedLifetime(a) {}
        }
        #expect(context.allocatedBytes == 0)
        #expect(context.peakBytes == 450)
    }

    @Test func aContextIsReleasedWithItsLastUser() throws {
        weak var released: Context?
        do {
            let context = try context()
            released = context
            let kernel = try scaleKernel(context), buffer = try Buffer<Float>(context, [1])
            try kernel.launch(global: [1], ["in": buffer, "scale": 1 as Float, "number": 0 as Int32, "out": buffer])
        }
        #expect(released == nil)
    }
}
