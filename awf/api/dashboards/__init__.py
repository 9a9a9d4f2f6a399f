"""What a dashboard's JSON asks for, as queries; and their answers in a form that a page can draw."""
