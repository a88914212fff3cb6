// The stack, its marks and the memo, within the limits of `Pickle`.
extension PickleMachine {
    mutating func count() throws(Malformed) {
        pushed += 1
        if pushed > Pickle.maxValues { throw malformed("it has more than \(Pickle.maxValues) values") }
    }

    mutating func mark() throws(Malformed) {
        try count()
        marks.append(stack.count)
    }

    mutating func push(_ value: Value) throws(Malformed) {
        try count()
        stack.append(value)
    }

    mutating func push(_ node: Node) throws(Malformed) {
        if nodes.count == Pickle.maxNodes { throw malformed("it has more than \(Pickle.maxNodes) containers") }
        nodes.append(node)
        try push(.node(nodes.count - 1))
    }

    mutating func push(_ kind: Node.Kind, _ items: [Value]) throws(Malformed) {
        try push(Node(kind: kind, items: items))
    }

    func top() throws(Malformed) -> Value {
        guard let top = stack.last, stack.count > marks.last ?? 0 else { throw malformed() }
        return top
    }

    mutating func pop() throws(Malformed) -> Value {
        _ = try top()
        return stack.removeLast()
    }

    mutating func pop(_ count: Int) throws(Malformed) -> [Value] {
        guard stack.count - (marks.last ?? 0) >= count else { throw malformed() }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    mutating func popMark() throws(Malformed) -> [Value] {
        guard let mark = marks.popLast() else { throw malformed() }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    func pairs(_ items: [Value]) throws(Malformed) -> [Value] {
        guard items.count % 2 == 0 else { throw malformed() }
        return items
    }

    mutating func extend(_ items: [Value], pairs isPairs: Bool = false) throws(Malformed) {
        guard case .node(let index) = try top() else { throw malformed() }
        switch nodes[index].kind {
        case .list, .set: guard !isPairs else { throw malformed() }
        case .dictionary, .call: guard isPairs, items.count % 2 == 0 else { throw malformed() }
        default: throw malformed()
        }
        nodes[index].items += items
    }

    mutating func remember(_ slot: Int) throws(Malformed) {
        try count()
        memo[slot] = try top()
    }

    mutating func recall(_ slot: Int) throws(Malformed) {
        guard let value = memo[slot] else { throw malformed() }
        try push(value)
    }
}
