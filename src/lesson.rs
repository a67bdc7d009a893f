//! The lesson's two routes, with Flask's line beside each. `make lesson` runs it.
use openkitchen::{Request, Response, Routes, Server, StartError, get, routes}; // from flask import Flask

static ROUTES: Routes = routes(&[
    get("/", home),       // @app.route("/")
    get("/about", about), // @app.route("/about")
]); // app = Flask(__name__)

fn home(_: &Request) -> Response {
    Response::text("Welcome to RohithBuilds Backend!") // def home(): return "Welcome to ...!"
}

fn about(_: &Request) -> Response {
    Response::text("Built with Python + Flask") // def about(): return "Built with ..."
}

fn main() -> Result<(), StartError> {
    Server::bind("127.0.0.1:5000")?.traced().run(&ROUTES, &()) // app.run()
}
