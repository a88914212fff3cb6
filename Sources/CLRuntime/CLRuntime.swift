// CLRuntime
